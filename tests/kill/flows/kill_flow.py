# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
"""A flow with something to destroy at every moment: wide, with small and large artifacts, logs, and known results."""

import hashlib
import random
import time

from airflow_mlflow_provider import FlowSpec, Parameter, retry, step


class KillFlow(FlowSpec):
    """Squares numbers slowly, and hashes large artifacts on the way."""

    splits = Parameter("splits", default=4)
    seconds = Parameter("seconds", default=0.2, help="How long each split works")

    @retry(times=3, minutes_between_retries=0)
    @step
    def start(self):
        self.numbers = list(range(self.splits))
        self.shared = random.Random("shared").randbytes(300_000)
        self.next(self.work, foreach="numbers")

    @retry(times=3, minutes_between_retries=0)
    @step
    def work(self):
        self.small = {"number": self.input, "text": f"split {self.input}"}
        self.large = random.Random(self.input).randbytes(700_000)
        for part in range(10):
            print("part", part)
            time.sleep(self.seconds / 10)
        self.value = self.input**2
        self.next(self.digest)

    @retry(times=3, minutes_between_retries=0)
    @step
    def digest(self):
        self.sum = hashlib.sha256(self.shared + self.large).hexdigest()
        self.next(self.join)

    @retry(times=3, minutes_between_retries=0)
    @step
    def join(self, inputs):
        self.total = sum(one.value for one in inputs)
        self.sums = [one.sum for one in inputs]
        self.numbers_seen = [one.small["number"] for one in inputs]
        self.next(self.end)

    @retry(times=3, minutes_between_retries=0)
    @step
    def end(self):
        print("total", self.total)


if __name__ == "__main__":
    KillFlow()
