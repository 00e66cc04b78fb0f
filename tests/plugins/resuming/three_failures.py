# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
"""A flow that fails in a split, in a branch and behind a switch, as long as there is a file."""

from pathlib import Path

from airflow_mlflow_provider import FlowSpec, Parameter, step


class ThreeFailuresFlow(FlowSpec):
    file = Parameter("file", default="")
    splits = Parameter("splits", default=3)

    @step
    def start(self):
        self.next(self.spread, self.left, self.way)

    @step
    def spread(self):
        self.items = list(range(self.splits))
        self.next(self.body, foreach="items")

    @step
    def body(self):
        if self.input == 1:
            fail_while_there_is(self.file)
        self.value = self.input * 10
        self.next(self.polish)

    @step
    def polish(self):
        self.value += 1
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.values = [one.value for one in inputs]
        self.next(self.collect)

    @step
    def left(self):
        fail_while_there_is(self.file)
        self.next(self.collect)

    @step
    def way(self):
        self.chosen = "first"
        self.next({"first": self.first, "second": self.second}, condition="chosen")

    @step
    def first(self):
        fail_while_there_is(self.file)
        self.next(self.meet)

    @step
    def second(self):
        self.next(self.meet)

    @step
    def meet(self):
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.values = inputs.gather.values
        self.chosen = inputs.meet.chosen
        self.next(self.end)

    @step
    def end(self):
        pass


def fail_while_there_is(file):
    if Path(file).exists():
        raise ValueError("told to fail")


if __name__ == "__main__":
    ThreeFailuresFlow()
