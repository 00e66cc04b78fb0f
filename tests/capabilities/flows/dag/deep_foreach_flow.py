"""NESTED_FOREACH: three levels, and in the innermost one a switch."""

from typing import Any

from airflow_mlflow_provider import FlowSpec, step


class DeepForeachFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.xs = [1, 2]
        self.next(self.second, foreach="xs")

    @step
    def second(self) -> None:
        self.x = self.input
        self.ys = range(self.x)
        self.next(self.third, foreach="ys")

    @step
    def third(self) -> None:
        self.y = self.input
        self.zs = "ab"
        self.next(self.choose, foreach="zs")

    @step
    def choose(self) -> None:
        self.z = self.input
        self.next({"a": self.plain, "b": self.loud}, condition="z")

    @step
    def plain(self) -> None:
        self.said = f"{self.x}{self.y}{self.z}"
        self.next(self.said_so)

    @step
    def loud(self) -> None:
        self.said = f"{self.x}{self.y}{self.z}".upper()
        self.next(self.said_so)

    @step
    def said_so(self) -> None:
        self.next(self.join_zs)

    @step
    def join_zs(self, inputs: Any) -> None:
        self.words = [each.said for each in inputs]
        self.next(self.join_ys)

    @step
    def join_ys(self, inputs: Any) -> None:
        self.words = [word for each in inputs for word in each.words]
        self.next(self.join_xs)

    @step
    def join_xs(self, inputs: Any) -> None:
        self.words = [word for each in inputs for word in each.words]
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    DeepForeachFlow()
