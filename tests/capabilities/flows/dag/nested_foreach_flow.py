"""NESTED_FOREACH: a foreach in a foreach."""

from typing import Any

from airflow_mlflow_provider import FlowSpec, step


class NestedForeachFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.outer = ["x", "y"]
        self.next(self.outer_body, foreach="outer")

    @step
    def outer_body(self) -> None:
        self.letter = self.input
        self.inner = [1]
        self.next(self.inner_body, foreach="inner")

    @step
    def inner_body(self) -> None:
        self.result = f"{self.letter}-{self.input}"
        self.next(self.inner_join)

    @step
    def inner_join(self, inputs: Any) -> None:
        self.results = [each.result for each in inputs]
        self.next(self.outer_join)

    @step
    def outer_join(self, inputs: Any) -> None:
        self.all_results = [result for each in inputs for result in each.results]
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    NestedForeachFlow()
