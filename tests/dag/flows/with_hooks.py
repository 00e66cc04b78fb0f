"""A flow with exit hooks that write down what they saw."""

import os
from pathlib import Path
from typing import Any

from airflow_mlflow_provider import FlowSpec, Parameter, exit_hook, step


def note(word: str, run: Any = None) -> None:
    """Append a line to the file that the run, or the environment, names."""
    with Path(os.environ["HOOKS_SEEN"]).open("a") as file:
        file.write(f"{word} {run.status if run is not None else ''} {os.getpid()}\n")


def on_success(run: Any) -> None:
    print("told from the hook")
    note(f"success {run.data.word}", run)


def on_error(run: Any) -> None:
    note("error", run)


def broken() -> None:
    raise RuntimeError("the hook is broken")


def without_run() -> None:
    note("plain")


@exit_hook(on_success=[broken, on_success], on_error=[on_error, "without_run"])
@exit_hook(on_success=["without_run"])
class WithHooksFlow(FlowSpec):
    fails = Parameter("fails", default=False)

    @step
    def start(self) -> None:
        self.word = "told"
        self.next(self.quick, self.other)

    @step
    def quick(self) -> None:
        assert not self.fails
        self.next(self.join)

    @step
    def other(self) -> None:
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.word = inputs.quick.word
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    WithHooksFlow()
