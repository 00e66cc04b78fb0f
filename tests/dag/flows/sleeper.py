# ruff: noqa: ANN201
# mypy: ignore-errors
import os
import subprocess
import time
from pathlib import Path

from airflow_mlflow_provider import FlowSpec, Parameter, step


class SleeperFlow(FlowSpec):
    """Sleeps, ignoring what asks it to end, together with a process of its own."""

    file = Parameter("file", default="")

    @step
    def start(self):
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "300"])
        Path(self.file).write_text(f"{os.getpid()} {child.pid}")
        time.sleep(300)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SleeperFlow()
