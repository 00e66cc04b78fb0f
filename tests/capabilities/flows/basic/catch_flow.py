"""CATCH: a step that raises, is killed, or takes as long as somebody needs to take its pod away."""

import os
import signal
import time

from airflow_mlflow_provider import FlowSpec, Parameter, catch, retry, step


class CatchFlow(FlowSpec):
    way = Parameter("way", default="raise")

    @step
    def start(self) -> None:
        self.next(self.risky)

    @catch(var="problem", print_exception=False)
    @retry(times=0)
    @step
    def risky(self) -> None:
        if self.way == "raise":
            raise ValueError("caught on purpose")
        if self.way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.way == "wait":
            print("waits for its end", flush=True)
            time.sleep(600)
        self.next(self.end)

    @step
    def end(self) -> None:
        self.went_on = True


if __name__ == "__main__":
    CatchFlow()
