# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
"""Three levels of foreach, several steps in each body, a split inside the middle one, and joins that keep the order."""

from airflow_mlflow_provider import FlowSpec, Parameter, current, step


class ThreeLevelFlow(FlowSpec):
    """Every task notes where it is; every join lists what it got, in the order in which it got it."""

    width = Parameter("width", default=2, help="Width of the outermost foreach")
    suffix = Parameter("suffix", default="")

    def here(self):
        """Step and task, and the foreach stack as the task sees it."""
        stack = [(index, splits, value) for index, splits, value in self.foreach_stack()]
        return f"{current.step_name}/{current.task_id}", self.index, self.input, stack

    @step
    def start(self):
        self.regions = [f"r{number}" for number in range(self.width)]
        self.next(self.region, foreach="regions")

    @step
    def region(self):
        self.called = self.input
        self.place = self.here()
        self.next(self.survey)

    @step
    def survey(self):
        self.cities = [f"{self.called}c{number}" for number in range(self.index + 1)]
        self.next(self.city, foreach="cities")

    @step
    def city(self):
        self.called = self.input
        self.path = [self.input]
        self.next(self.count, self.map_streets)

    @step
    def count(self):
        self.people = len(self.called) * 10 + self.index
        self.next(self.meet)

    @step
    def map_streets(self):
        self.streets = {"main": 1, "side": 2}
        self.next(self.walk, foreach="streets")

    @step
    def walk(self):
        self.path = [*self.path, self.input]
        self.next(self.look)

    @step
    def look(self):
        self.seen = f"{'/'.join(self.path)}{self.suffix}"
        self.place = self.here()
        self.next(self.join_streets)

    @step
    def join_streets(self, inputs):
        self.seen = [one.seen for one in inputs]
        self.places = [one.place for one in inputs]
        self.place = self.here()
        self.merge_artifacts(inputs, include=["called"])
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.people = inputs.count.people
        self.seen = inputs.join_streets.seen
        self.branches = [sorted(set(dir(one)) & {"people", "places"}) for one in inputs]
        self.next(self.report_city)

    @step
    def report_city(self):
        self.report = (self.input, self.people, self.seen)
        self.next(self.join_cities)

    @step
    def join_cities(self, inputs):
        self.reports = [one.report for one in inputs]
        self.next(self.join_regions)

    @step
    def join_regions(self, inputs):
        self.reports = [one.reports for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.total = sum(people for region in self.reports for _, people, _ in region)


if __name__ == "__main__":
    ThreeLevelFlow()
