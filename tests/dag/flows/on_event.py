"""A flow that an event starts; its payload sets parameters."""

from airflow_mlflow_provider import FlowSpec, Parameter, current, step, trigger


@trigger(event={"name": "new-data", "parameters": {"Count": "n", "words": "words"}})
class OnEventFlow(FlowSpec):
    count = Parameter("count", required=True, type=int)
    words = Parameter("words", default="none", separator=",")

    @step
    def start(self) -> None:
        self.event = (current.trigger.event.name, current.trigger.event.id)
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    OnEventFlow()
