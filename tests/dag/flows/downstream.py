"""A flow that starts when another has succeeded, and reads what that one left."""

from airflow_mlflow_provider import FlowSpec, current, project, step, trigger_on_finish


@project(name="chain")
@trigger_on_finish(flow="UpstreamFlow")
class DownstreamFlow(FlowSpec):
    @step
    def start(self) -> None:
        run = current.trigger.run
        self.word = run.data.word
        self.upstream = run.pathspec
        self.next(self.end)

    @step
    def end(self) -> None:
        assert current.trigger["UpstreamFlow"].pathspec == self.upstream


if __name__ == "__main__":
    DownstreamFlow()
