# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
from airflow_mlflow_provider import FlowSpec, Parameter, cache, kubernetes, step


def compute(signal):
    """Compute until a signal is given, and what nobody can compute a second time."""
    import time
    import uuid

    from airflow_mlflow_provider.datatools import ObjectStore

    root, _, name = signal.rpartition("/")
    with ObjectStore(root) as signals:
        until = time.monotonic() + 200
        while not signals.get(name, return_missing=True).exists and time.monotonic() < until:
            time.sleep(0.2)
    return uuid.uuid4().hex


class WantedFlow(FlowSpec):
    """Results that two runs want at once: of a start step in a pod, and of a step after it."""

    signals = Parameter("signals", default="")

    @kubernetes(cpu=0.1, memory=200, disk=100, image="step:1", secrets="s3")
    @cache
    @step
    def start(self):
        self.first = compute(f"{self.signals}/start")
        self.next(self.work)

    @kubernetes(cpu=0.1, memory=200, disk=100, image="step:1", secrets="s3")
    @cache
    @step
    def work(self):
        self.second = compute(f"{self.signals}/work")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    WantedFlow()
