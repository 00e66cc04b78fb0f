"""A loop until it is good enough, then one of two ways on."""

from metaflow import FlowSpec, Parameter, step


class ChoicesFlow(FlowSpec):
    goal = Parameter("goal", default=3)

    @step
    def start(self):
        self.tries = 0
        self.next(self.improve)

    @step
    def improve(self):
        self.tries += 1
        self.verdict = "again" if self.tries < self.goal else "enough"
        self.next({"again": self.improve, "enough": self.judge}, condition="verdict")

    @step
    def judge(self):
        self.way = "odd" if self.tries % 2 else "even"
        self.next({"odd": self.odd, "even": self.even}, condition="way")

    @step
    def odd(self):
        self.said = "odd it is"
        self.next(self.end)

    @step
    def even(self):
        self.said = "even it is"
        self.next(self.end)

    @step
    def end(self):
        self.summary = f"{self.said} after {self.tries}"


if __name__ == "__main__":
    ChoicesFlow()
