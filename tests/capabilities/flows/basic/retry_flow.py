"""RETRY: a step that fails the first time it is tried."""

from airflow_mlflow_provider import FlowSpec, current, retry, step


class RetryFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.next(self.flaky)

    @retry(times=2, minutes_between_retries=0)
    @step
    def flaky(self) -> None:
        if current.retry_count == 0:
            raise RuntimeError("the first attempt fails")
        self.attempts = current.retry_count
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    RetryFlow()
