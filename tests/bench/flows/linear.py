# ruff: noqa: ANN201
# mypy: ignore-errors
from metaflow import FlowSpec, step


class Linear(FlowSpec):
    @step
    def start(self):
        self.x = 1
        self.next(self.middle)

    @step
    def middle(self):
        self.x += 1
        self.next(self.end)

    @step
    def end(self):
        assert self.x == 2


if __name__ == "__main__":
    Linear()
