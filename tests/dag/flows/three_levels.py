# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
from airflow_mlflow_provider import FlowSpec, Parameter, step


class ThreeLevelsFlow(FlowSpec):
    """Three levels of foreach, each with several steps, and joins that keep order."""

    outer = Parameter("outer", default=2, type=int, help="Width of the outermost foreach.")
    tag = Parameter("tag", default="x")

    @step
    def start(self):
        self.xs = [f"x{i}" for i in range(self.outer)]
        self.next(self.a, foreach="xs")

    @step
    def a(self):
        self.x = self.input
        self.next(self.split_b)

    @step
    def split_b(self):
        self.ys = [f"y{i}" for i in range(self.index + 1)]
        self.next(self.b, foreach="ys")

    @step
    def b(self):
        self.y = self.input
        self.next(self.b_two)

    @step
    def b_two(self):
        self.zs = ["z0", "z1"]
        self.next(self.c, foreach="zs")

    @step
    def c(self):
        self.z = self.input
        self.next(self.c_two)

    @step
    def c_two(self):
        self.word = f"{self.x}{self.y}{self.z}"
        self.next(self.join_c)

    @step
    def join_c(self, inputs):
        self.words = [i.word for i in inputs]
        self.next(self.after_c)

    @step
    def after_c(self):
        self.next(self.join_b)

    @step
    def join_b(self, inputs):
        self.words = [i.words for i in inputs]
        self.next(self.after_b)

    @step
    def after_b(self):
        self.next(self.join_a)

    @step
    def join_a(self, inputs):
        self.words = [i.words for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("words:", self.words, self.tag)


if __name__ == "__main__":
    ThreeLevelsFlow()
