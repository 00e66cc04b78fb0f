"""Statistics of each group of a table, one task for each group."""

import pandas as pd
from metaflow import FlowSpec, Parameter, card, current, step


class StatisticsFlow(FlowSpec):
    quantile = Parameter("quantile", default=0.5)

    @step
    def start(self):
        self.table = pd.DataFrame(
            {"town": ["Oslo", "Rome", "Oslo", "Rome", "Bonn"], "rain": [3.0, 1.5, 4.0, 0.5, 2.0]}
        )
        self.towns = sorted(self.table.town.unique())
        self.next(self.measure, foreach="towns")

    @step
    def measure(self):
        self.town = self.input
        self.position = self.index
        rows = self.table[self.table.town == self.town]
        self.result = {"median": float(rows.rain.quantile(self.quantile)), "days": len(rows)}
        self.next(self.gather)

    @card(type="blank")
    @step
    def gather(self, inputs):
        from metaflow.cards import Markdown

        self.results = {each.town: each.result for each in inputs}
        self.order = [(each.position, each.town) for each in inputs]
        self.merge_artifacts(inputs, include=["table"])
        current.card.append(Markdown("# Rain"))
        self.next(self.end)

    @step
    def end(self):
        self.wettest = max(self.results, key=lambda town: self.results[town]["median"])


if __name__ == "__main__":
    StatisticsFlow()
