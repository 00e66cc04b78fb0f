# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
import time

from airflow_mlflow_provider import FlowSpec, Parameter, retry, step


class OutlivesFlow(FlowSpec):
    """A foreach that takes so long that something may happen meanwhile, and that may fail."""

    seconds = Parameter("seconds", default=3.0, type=float)
    fails = Parameter("fails", default=False, type=bool)

    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.body, foreach="items")

    @retry(times=3, minutes_between_retries=0)
    @step
    def body(self):
        time.sleep(self.seconds)
        self.square = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs):
        if self.fails:
            raise ValueError("told to fail")
        self.squares = [i.square for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    OutlivesFlow()
