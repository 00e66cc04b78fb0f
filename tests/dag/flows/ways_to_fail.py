# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
from airflow_mlflow_provider import FlowSpec, Parameter, card, catch, retry, step


class WaysToFailFlow(FlowSpec):
    """Fails where and as often as it is told to."""

    failures = Parameter("failures", default=0, type=int)
    text = Parameter("text", default="$5 `ls` \"quoted\" 'single'\nline {{ 7 * 7 }} 🙂")
    settings = Parameter("settings", default=None)

    @step
    def start(self):
        self.items = ["{{ 7 * 7 }}", "b"]
        self.next(self.shaky, foreach="items")

    @card
    @retry(times=1, minutes_between_retries=0)
    @step
    def shaky(self):
        from airflow_mlflow_provider import current

        self.tried = current.retry_count
        if self.index == 1 and current.retry_count < self.failures:
            raise ValueError("told to fail")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.tried = [i.tried for i in inputs]
        self.next(self.end)

    @catch(var="caught")
    @step
    def end(self):
        if self.failures == 1:
            raise KeyError("end")


if __name__ == "__main__":
    WaysToFailFlow()
