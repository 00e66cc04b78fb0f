"""The flow of ``example_flow_steps.py``; it runs by itself as well.

python quote_flow.py run --price 2.5
"""

from airflow_mlflow_provider import FlowSpec, Parameter, retry, step


class QuoteFlow(FlowSpec):
    """Makes an offer, checks it and writes the quote."""

    price = Parameter("price", type=float, required=True, help="Price of one piece")

    @step
    def start(self):
        self.offer = round(self.price * 0.9, 2)
        self.next(self.check)

    @retry(times=1, minutes_between_retries=0)
    @step
    def check(self):
        self.fair = self.offer >= 2
        self.next(self.end)

    @step
    def end(self):
        self.quote = f"{self.offer:.2f} each" if self.fair else "no offer"
        print(self.quote)


if __name__ == "__main__":
    QuoteFlow()
