"""RESUME: one split of three fails."""

from typing import Any

from airflow_mlflow_provider import FlowSpec, step


class ResumeFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.numbers = [1, 2, 3]
        self.next(self.body, foreach="numbers")

    @step
    def body(self) -> None:
        if self.input == 2:
            raise ValueError(f"{self.input} is broken")
        self.tenfold = 10 * self.input
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.results = [each.tenfold for each in inputs]
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    ResumeFlow()
