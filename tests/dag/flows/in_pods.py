# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
from airflow_mlflow_provider import FlowSpec, Parameter, card, catch, current, step
from airflow_mlflow_provider.cards import Markdown


class InPodsFlow(FlowSpec):
    """A foreach whose body may wait to be killed."""

    waits = Parameter("waits", default=-1, type=int)
    text = Parameter("text", default="")

    @step
    def start(self):
        self.items = ["a", "b"]
        self.next(self.body, foreach="items")

    @card
    @catch(var="caught")
    @step
    def body(self):
        current.card.append(Markdown(f"of {self.input}"))
        if self.index == self.waits:
            import time

            print("ready to die", flush=True)
            time.sleep(150)
        self.word = f"{self.input}{self.text}"
        self.next(self.join)

    @step
    def join(self, inputs):
        self.words = [getattr(i, "word", None) for i in inputs]
        self.caught = [i.caught for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.tags = sorted(current.tags)
        print("words:", self.words)


if __name__ == "__main__":
    InPodsFlow()
