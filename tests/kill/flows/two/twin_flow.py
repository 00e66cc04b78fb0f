# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
"""The other one of two flows of the same name, with other steps."""

from airflow_mlflow_provider import FlowSpec, Parameter, step


class TwinFlow(FlowSpec):
    """Negates a number."""

    number = Parameter("number", default=1)

    @step
    def start(self):
        self.next(self.negate, self.keep)

    @step
    def negate(self):
        self.value = -self.number
        self.next(self.join)

    @step
    def keep(self):
        self.value = self.number
        self.next(self.join)

    @step
    def join(self, inputs):
        self.values = [one.value for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.kind = "negated"


if __name__ == "__main__":
    TwinFlow()
