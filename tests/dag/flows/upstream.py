"""A flow that others wait for; it may fail."""

from airflow_mlflow_provider import FlowSpec, Parameter, project, step


@project(name="chain")
class UpstreamFlow(FlowSpec):
    fails = Parameter("fails", default=False)

    @step
    def start(self) -> None:
        self.word, self.number = "told", 7
        self.next(self.finish)

    @step(end=True)
    def finish(self) -> None:
        assert not self.fails


if __name__ == "__main__":
    UpstreamFlow()
