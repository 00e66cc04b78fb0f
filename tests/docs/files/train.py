from airflow_mlflow_provider import FlowSpec, Parameter, current, step


class TrainFlow(FlowSpec):
    """Fits a line through a few points, once for each learning rate."""

    alpha = Parameter("alpha", default=0.1, help="Learning rate")

    @step
    def start(self):
        self.points = [(x, 2 * x) for x in range(5)]
        self.next(self.train)

    @step
    def train(self):
        self.slope = 0.0
        for _ in range(50):
            for x, y in self.points:
                self.slope += self.alpha * (y - self.slope * x) * x / 10
        self.score = 1 / (1 + abs(2 - self.slope))
        self.next(self.end)

    @step
    def end(self):
        print(current.pathspec, self.score)


if __name__ == "__main__":
    TrainFlow()
