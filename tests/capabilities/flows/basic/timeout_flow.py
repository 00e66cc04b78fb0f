"""TIMEOUT: a step that takes too long, and one that blocks the signal that would tell it so."""

import signal
import time

from airflow_mlflow_provider import FlowSpec, Parameter, step, timeout


class TimeoutFlow(FlowSpec):
    blocks = Parameter("blocks", default=False)

    @timeout(hours=1, minutes=2, seconds=3)
    @step
    def start(self) -> None:
        self.next(self.slow)

    @timeout(minutes=0.05)
    @step
    def slow(self) -> None:
        if self.blocks:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM})
        time.sleep(600)
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    TimeoutFlow()
