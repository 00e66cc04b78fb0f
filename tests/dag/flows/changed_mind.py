# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
from pathlib import Path

from airflow_mlflow_provider import FlowSpec, Parameter, step


class ChangedMindFlow(FlowSpec):
    """Goes the way that a file says, and loops as often as it says."""

    file = Parameter("file", default="")

    @step
    def start(self):
        self.way, self.rounds = Path(self.file).read_text().split()
        self.next({"a": self.a, "b": self.b}, condition="way")

    @step
    def a(self):
        self.trace = ["a"]
        self.items = [1, 2]
        self.next(self.body, foreach="items")

    @step
    def body(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.merge_artifacts(inputs, exclude=["items"])
        self.trace = [*self.trace, "join"]
        self.next(self.merge)

    @step
    def b(self):
        self.trace = ["b"]
        self.next(self.merge)

    @step
    def merge(self):
        self.count = 0
        self.next(self.again)

    @step
    def again(self):
        self.count += 1
        self.more = "yes" if self.count < int(self.rounds) else "no"
        self.next({"yes": self.again, "no": self.end}, condition="more")

    @step
    def end(self):
        self.trace = [*self.trace, self.count]


if __name__ == "__main__":
    ChangedMindFlow()
