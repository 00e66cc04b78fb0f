"""A flow whose step gets a connection and a variable of Airflow, and prints them."""

import os

from airflow_mlflow_provider import FlowSpec, secrets, step


class WithSecretsFlow(FlowSpec):
    @secrets(sources=["airflow-connection.warehouse", "airflow-variable.service_key"])
    @step
    def start(self) -> None:
        password, key = os.environ["WAREHOUSE_PASSWORD"], os.environ["SERVICE_KEY"]
        self.right = (password, key) == ("very-secret-pass", "very-secret-key")
        self.host = os.environ["WAREHOUSE_HOST"]
        print("printed", password, key)
        self.next(self.end)

    @step
    def end(self) -> None:
        self.left = [
            name for name in os.environ if name.startswith(("AIRFLOW_CONN_WAREHOUSE", "AIRFLOW_VAR_S"))
        ]


if __name__ == "__main__":
    WithSecretsFlow()
