"""The flow of ``example_flow_task_group.py`` and ``example_flow_steps.py``; it runs by itself as well.

python price_flow.py run --price 2.5
"""

from airflow_mlflow_provider import FlowSpec, Parameter, step


class PriceFlow(FlowSpec):
    """Tries a few discounts, one task each, and keeps the best."""

    price = Parameter("price", type=float, required=True, help="Price of one piece")
    discounts = Parameter("discounts", default=3, help="How many discounts to try")

    @step
    def start(self):
        self.rates = [number / 10 for number in range(self.discounts)]
        self.next(self.sell, foreach="rates")

    @step
    def sell(self):
        pieces = 100 * (1 + 3 * self.input)
        self.rate, self.income = self.input, pieces * self.price * (1 - self.input)
        self.next(self.choose)

    @step
    def choose(self, inputs):
        self.best = max(inputs, key=lambda one: one.income).rate
        self.next(self.end)

    @step
    def end(self):
        print("the best discount is", self.best)


if __name__ == "__main__":
    PriceFlow()
