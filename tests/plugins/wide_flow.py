"""A flow with one foreach and a card, of which `made_run` writes runs."""

from typing import Any

from airflow_mlflow_provider import FlowSpec, Parameter, card, step


class WideFlow(FlowSpec):
    """Goes wide."""

    alpha = Parameter("alpha", default="a")

    @card
    @step
    def start(self) -> None:
        """Makes the items."""
        self.items = [1]
        self.next(self.body, foreach="items")

    @step
    def body(self) -> None:
        """Of each item."""
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    WideFlow()
