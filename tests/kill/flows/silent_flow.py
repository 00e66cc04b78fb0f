# ruff: noqa: ANN201
# mypy: ignore-errors
"""A flow with a pod that succeeds and has done nothing."""

from airflow_mlflow_provider import FlowSpec, kubernetes, step


class SilentFlow(FlowSpec):
    """Its second step's container runs `true` in the place of Python."""

    @step
    def start(self):
        self.next(self.silent)

    @kubernetes(executable="/bin/true")
    @step
    def silent(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SilentFlow()
