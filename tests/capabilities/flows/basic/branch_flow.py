"""BRANCHING: two branches that wait for each other, so that they pass only side by side."""

import time
from typing import Any

from airflow_mlflow_provider import FlowSpec, current, step

PATIENCE_SECONDS = 120


class BranchFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.common = "kept"
        self.next(self.zebra, self.ant)

    @step
    def zebra(self) -> None:
        self.animal = "zebra"
        self.stripes = 9
        self.meet("ant")
        self.next(self.join)

    @step
    def ant(self) -> None:
        self.animal = "ant"
        self.legs = 6
        self.meet("zebra")
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.names = [each.animal for each in inputs]
        self.by_step = (inputs.zebra.stripes, inputs.ant.legs)
        self.merge_artifacts(inputs, exclude=["animal"])
        self.next(self.end)

    @step
    def end(self) -> None:
        pass

    def meet(self, other: str) -> None:
        """Wait until the other branch has begun."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while other not in [each.id for each in current.run]:
            assert time.monotonic() < give_up, f"{other} does not run beside this step"
            time.sleep(0.1)


if __name__ == "__main__":
    BranchFlow()
