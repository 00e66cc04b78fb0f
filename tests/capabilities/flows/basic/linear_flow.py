"""LINEAR_DAG: three steps, one after another."""

from airflow_mlflow_provider import FlowSpec, step


class LinearFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.trail = ["start"]
        self.next(self.middle)

    @step
    def middle(self) -> None:
        self.trail.append("middle")
        self.next(self.end)

    @step
    def end(self) -> None:
        self.trail.append("end")


if __name__ == "__main__":
    LinearFlow()
