"""Cards: a step that reports on itself while it trains, and a report on the model.

python digits_report_flow.py card server      (in another terminal: watch the training live)
python digits_report_flow.py run
python digits_report_flow.py run --rounds 20 --units 16
python digits_report_flow.py card view judge
"""

# Imported here, before the tasks are made, scikit-learn is loaded once for all tasks of a local run.
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from airflow_mlflow_provider import FlowSpec, Parameter, card, current, step
from airflow_mlflow_provider.cards import Markdown, ProgressBar, Table, ValueBox, VegaChart


class DigitsReportFlow(FlowSpec):
    """Trains a small network that reads handwritten digits, and reports on it."""

    rounds = Parameter("rounds", default=12, help="Passes over the training part")
    units = Parameter("units", default=32, help="Units of the hidden layer")
    seed = Parameter("seed", default=7, help="Seed of the split and of the network")

    @step
    def start(self):
        """Sets the test part aside."""
        pixels, digits = load_digits(return_X_y=True)
        parts = train_test_split(pixels / 16, digits, test_size=0.25, random_state=self.seed, stratify=digits)
        self.train_x, self.test_x, self.train_y, self.test_y = parts
        self.next(self.train)

    @card(type="blank", id="training", refresh_interval=1)
    @step
    def train(self):
        """Trains the network; its card moves while it does."""
        bar = ProgressBar(max=self.rounds, label="Training", unit="rounds")
        chart = VegaChart(curve([]))
        current.card.extend([Markdown("## Training"), bar, chart])
        self.model = MLPClassifier((self.units,), learning_rate_init=0.01, random_state=self.seed)
        self.curve = []
        for number in range(self.rounds):
            self.model.partial_fit(self.train_x, self.train_y, classes=range(10))
            self.curve.append({"round": number + 1, "accuracy": self.accuracy_on_test()})
            bar.update(number + 1)
            chart.update(curve(self.curve))
            current.card.refresh()
        self.next(self.judge)

    @card(id="report")
    @step
    def judge(self):
        """Judges the network on digits that it never saw."""
        self.accuracy = self.accuracy_on_test()
        counts = confusion_matrix(self.test_y, self.model.predict(self.test_x))
        self.wrong = len(self.test_y) - int(counts.trace())
        self.reads_well = self.accuracy > 0.93  # a truth value: the card of the flow tells it as a test
        good = "success" if self.reads_well else "warning"
        report = current.card["report"]
        report.append(Markdown("# How well does it read?"))
        report.append(ValueBox("Accuracy", f"{self.accuracy:.1%}", "on the test part", theme=good))
        report.append(ValueBox("Misread", self.wrong, f"of {len(self.test_y)} digits"))
        report.append(VegaChart(curve(self.curve), show_controls=True))
        report.append(Markdown("## Which digits does it confuse?"))
        report.append(Table([[f"is {n}", *row] for n, row in enumerate(counts)], ["", *map(str, range(10))]))
        self.next(self.end)

    @step
    def end(self):
        """Says how good it is."""
        print(f"accuracy {self.accuracy:.3f}, {self.wrong} digits misread")

    def accuracy_on_test(self):
        """Share of the test part that the network reads rightly."""
        return float(self.model.score(self.test_x, self.test_y))


def curve(points):
    """A line chart, in Vega-Lite, of the accuracy over the rounds."""
    return {
        "description": "Accuracy on the test part after each round",
        "width": 560,
        "height": 220,
        "data": {"values": points},
        "mark": {"type": "line", "point": True, "tooltip": True},
        "encoding": {
            "x": {"field": "round", "type": "quantitative", "axis": {"tickMinStep": 1}},
            "y": {
                "field": "accuracy",
                "type": "quantitative",
                "scale": {"zero": False},
                "axis": {"format": "%"},
            },
        },
    }


if __name__ == "__main__":
    DigitsReportFlow()
