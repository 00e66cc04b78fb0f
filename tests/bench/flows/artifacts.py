# ruff: noqa: ANN201, PTH123
# mypy: ignore-errors
"""Saves artifacts in one step and reads them in the next; the last step writes how long both took."""

import json
import os
import time

import numpy as np
from metaflow import FlowSpec, step

KIND = os.environ["BENCH_KIND"]
COUNT = 1000
ROWS = 25_000_000


class Artifacts(FlowSpec):
    @step
    def start(self):
        self.next(self.save)

    @step
    def save(self):
        if KIND == "array":
            self.array = np.random.default_rng(0).random(ROWS)
        if KIND == "many":
            for number in range(COUNT):
                setattr(self, f"small_{number}", {"number": number, "text": "x" * (number % 50)})
        self.saving_since = time.time()
        self.next(self.read)

    @step
    def read(self):
        began = time.time()
        if KIND == "array":
            # One element of every page: what a lazy load has put off must be done.
            assert float(self.array[::512].sum()) > 0
            assert len(self.array) == ROWS
        if KIND == "many":
            assert sum(getattr(self, f"small_{number}")["number"] for number in range(COUNT)) == 499_500
        self.seconds = {"save": began - self.saving_since, "read": time.time() - began}
        self.next(self.end)

    @step
    def end(self):
        with open("seconds.json", "w") as file:
            json.dump(self.seconds, file)


if __name__ == "__main__":
    Artifacts()
