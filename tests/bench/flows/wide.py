# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
import os

from metaflow import FlowSpec, Parameter, step


class Wide(FlowSpec):
    splits = Parameter("splits", default=10)

    @step
    def start(self):
        self.items = list(range(self.splits))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        if os.environ.get("BENCH_FAIL") == str(self.input):
            raise ValueError("told to fail")
        self.doubled = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(i.doubled for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        assert self.total == self.splits * (self.splits - 1)


if __name__ == "__main__":
    Wide()
