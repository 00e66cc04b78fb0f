"""FOREACH: one task for each element, of as many elements as asked for."""

from typing import Any

from airflow_mlflow_provider import FlowSpec, Parameter, step


class ForeachFlow(FlowSpec):
    width = Parameter("width", default=3)

    @step
    def start(self) -> None:
        self.numbers = list(range(self.width))
        self.next(self.square, foreach="numbers")

    @step
    def square(self) -> None:
        self.squared = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.squares = [each.squared for each in inputs]
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    ForeachFlow()
