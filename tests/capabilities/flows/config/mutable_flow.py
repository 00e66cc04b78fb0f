"""RUN_PARAMS: parameters of several kinds, some of which a mutator adds as a config says."""

from airflow_mlflow_provider import Config, FlowMutator, FlowSpec, JSONType, Parameter, step
from airflow_mlflow_provider.mutators import MutableFlow


class AddParameters(FlowMutator):
    def pre_mutate(self, mutable_flow: MutableFlow) -> None:
        for name, default in dict(mutable_flow.configs)["parameters"].items():
            mutable_flow.add_parameter(name, Parameter(name, default=default))


@AddParameters
class ConfigMutableFlow(FlowSpec):
    parameters = Config("parameters", default_value={"param2": "41"})
    trigger_param = Parameter("trigger_param", default="")
    words = Parameter("words", default="a,b", separator=",")
    anything = Parameter("anything", default={}, type=JSONType)

    @step
    def start(self) -> None:
        self.seen = (self.trigger_param, self.param2, self.words, self.anything)
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    ConfigMutableFlow()
