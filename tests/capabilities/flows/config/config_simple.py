"""CONFIG_EXPR: configs in a decorator of the flow, in one of a step, in a parameter's default and in steps."""

from pathlib import Path

from airflow_mlflow_provider import (
    Config,
    FlowSpec,
    Parameter,
    config_expr,
    environment,
    project,
    step,
)


@project(name=config_expr("cfg_default_value.a.project_name"))
class ConfigSimple(FlowSpec):
    cfg = Config("cfg", default=str(Path(__file__).with_name("config_simple.json")))
    cfg_default_value = Config(
        "cfg_default_value", default_value={"a": {"project_name": "config_project", "b": "24"}}
    )
    trigger_param = Parameter("trigger_param", default="")
    from_config = Parameter("from_config", default=cfg.some.number)

    @environment(vars={"FROM_CONFIG": config_expr("cfg.some.number + 1")})
    @step
    def start(self) -> None:
        import os

        self.variable = os.environ["FROM_CONFIG"]
        self.config_val = self.cfg.some.number
        self.next(self.end)

    @step
    def end(self) -> None:
        self.config_val_2 = self.cfg_default_value.a.b


if __name__ == "__main__":
    ConfigSimple()
