# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
from airflow_mlflow_provider import FlowSpec, Parameter, step


class SwitchInForeachFlow(FlowSpec):
    """Each element of a foreach chooses its own way; one way has a foreach of its own."""

    numbers = Parameter("numbers", default="1,2,3,4", separator=",")

    @step
    def start(self):
        self.items = [int(number) for number in self.numbers]
        self.next(self.choose, foreach="items")

    @step
    def choose(self):
        self.number = self.input
        self.kind = "even" if self.number % 2 == 0 else "odd"
        self.next({"even": self.split, "odd": self.plain}, condition="kind")

    @step
    def split(self):
        self.parts = list(range(self.number))
        self.next(self.part, foreach="parts")

    @step
    def part(self):
        self.square = self.input**2
        self.next(self.join_parts)

    @step
    def join_parts(self, inputs):
        self.result = sum(i.square for i in inputs)
        self.next(self.merge)

    @step
    def plain(self):
        self.result = -self.number
        self.next(self.plain_two)

    @step
    def plain_two(self):
        self.result *= 10
        self.next(self.merge)

    @step
    def merge(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.results = [i.result for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SwitchInForeachFlow()
