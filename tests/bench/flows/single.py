# ruff: noqa: ANN201
# mypy: ignore-errors
from metaflow import FlowSpec, step


class Single(FlowSpec):
    @step
    def only(self):
        self.x = 1


if __name__ == "__main__":
    Single()
