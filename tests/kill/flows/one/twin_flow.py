# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
"""One of two flows of the same name."""

from airflow_mlflow_provider import FlowSpec, Parameter, step


class TwinFlow(FlowSpec):
    """Doubles numbers."""

    number = Parameter("number", default=1)

    @step
    def start(self):
        self.numbers = [self.number, self.number + 1]
        self.next(self.double, foreach="numbers")

    @step
    def double(self):
        self.value = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.values = [one.value for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.kind = "doubled"


if __name__ == "__main__":
    TwinFlow()
