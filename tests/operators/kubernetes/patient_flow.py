# ruff: noqa: ANN201
# mypy: ignore-errors
from airflow_mlflow_provider import FlowSpec, Parameter, kubernetes, retry, step


class PatientFlow(FlowSpec):
    """One step that takes as long as it is told to."""

    seconds = Parameter("seconds", default=0.0, type=float)

    @retry(times=2, minutes_between_retries=0)
    @kubernetes(cpu=0.1, memory=200, disk=100, image="step:1", secrets="s3")
    @step
    def start(self):
        import time

        print("the step begins", flush=True)
        time.sleep(self.seconds)
        print("the step ends", flush=True)
        self.slept = self.seconds
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    PatientFlow()
