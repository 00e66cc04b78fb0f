"""A grid in a grid, and a stack of where each task is."""

from metaflow import FlowSpec, step


class NestedFlow(FlowSpec):
    @step
    def start(self):
        self.models = ["tree", "line"]
        self.next(self.model, foreach="models")

    @step
    def model(self):
        self.kind = self.input
        self.depths = range(1, 3)
        self.next(self.fit, foreach="depths")

    @step
    def fit(self):
        self.stack = self.foreach_stack()
        self.score = len(self.kind) * self.input
        self.next(self.best)

    @step
    def best(self, inputs):
        self.top = max(each.score for each in inputs)
        self.kind = inputs[0].kind
        self.stacks = [each.stack for each in inputs]
        self.next(self.compare)

    @step
    def compare(self, inputs):
        self.tops = {each.kind: each.top for each in inputs}
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    NestedFlow()
