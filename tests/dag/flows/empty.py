# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
from airflow_mlflow_provider import FlowSpec, Parameter, step


class EmptyFlow(FlowSpec):
    """A foreach in a foreach, either of which may have nothing to split."""

    outer = Parameter("outer", default=0, type=int)

    @step
    def start(self):
        self.xs = list(range(self.outer))
        self.next(self.a, foreach="xs", allow_empty=True)

    @step
    def a(self):
        self.ys = list(range(self.input))
        self.next(self.b, foreach="ys", allow_empty=True)

    @step
    def b(self):
        self.pair = (self.index, self.input)
        self.next(self.join_b)

    @step
    def join_b(self, inputs):
        self.pairs = [i.pair for i in inputs]
        self.next(self.join_a)

    @step
    def join_a(self, inputs):
        self.pairs = [i.pairs for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    EmptyFlow()
