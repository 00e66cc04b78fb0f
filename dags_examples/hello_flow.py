"""The smallest flow that does something in parallel.

python hello_flow.py run
python hello_flow.py run --count 10
"""

from airflow_mlflow_provider import FlowSpec, Parameter, step


class HelloFlow(FlowSpec):
    """Squares numbers, one task each, and adds them up."""

    count = Parameter("count", default=3, help="How many numbers")

    @step
    def start(self):
        """Lists the numbers. What is assigned to `self` is an artifact: stored, versioned, readable for ever."""
        self.numbers = list(range(self.count))
        self.next(self.square, foreach="numbers")

    @step
    def square(self):
        """Runs once for each number, all at the same time: `self.input` is this task's own."""
        self.value = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs):
        """Runs when all of them are done. `inputs` are their artifacts, in the order of the numbers."""
        self.total = sum(one.value for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        """Prints the result, which is the artifact `total` of this run."""
        print("the total is", self.total)


if __name__ == "__main__":
    HelloFlow()
