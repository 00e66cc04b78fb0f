"""Configs in decorators and steps, a decorator of the user's, a mutator, and a flow class that is inherited."""

from metaflow import (
    Config,
    FlowMutator,
    FlowSpec,
    Parameter,
    config_expr,
    environment,
    project,
    step,
    user_step_decorator,
)


@user_step_decorator
def noted(step_name, flow, inputs=None, attributes=None):
    flow.notes = [*getattr(flow, "notes", []), f"before {step_name}"]
    yield
    flow.notes = [*flow.notes, f"after {step_name}"]


class WithSeed(FlowMutator):
    def pre_mutate(self, mutable_flow):
        mutable_flow.add_parameter("seed", Parameter("seed", default=self.seed))

    def init(self, seed):
        self.seed = seed


class BaseFlow(FlowSpec):
    settings = Config(
        "settings", default_value={"project": "ported", "model": {"depth": 3}, "tags": ["a", "b"]}
    )
    rate = Parameter("rate", default=settings.model.depth)


@WithSeed(seed=17)
@project(name=config_expr("settings.project"))
class ConfiguredFlow(BaseFlow):
    @environment(vars={"DEPTH": config_expr("str(settings.model.depth + 1)")})
    @noted
    @step
    def start(self):
        import os

        self.depth = (self.settings.model.depth, self.settings["model"]["depth"], int(os.environ["DEPTH"]))
        self.tags_of_it = list(self.settings.tags)
        self.next(self.end)

    @noted
    @step
    def end(self):
        from metaflow import current

        self.given = (self.rate, self.seed)
        self.project_of_it = (current.project_name, current.branch_name, current.is_production)


if __name__ == "__main__":
    ConfiguredFlow()
