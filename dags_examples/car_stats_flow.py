"""Statistics of a table, by group: a static split whose branches do different things, and one that runs once per group.

The table is the one of 406 cars that the package vega_datasets brings along, so the flow needs no network.

python car_stats_flow.py run
python car_stats_flow.py run --top 5
"""

import pandas as pd
from vega_datasets import local_data

from airflow_mlflow_provider import FlowSpec, Parameter, current, step


class CarStatsFlow(FlowSpec):
    """Which cars stand out, where thrift comes from, and how both changed: three looks at one table, taken at once."""

    top = Parameter("top", default=3, help="How many cars to list for each origin")

    @step
    def start(self):
        """Loads the table and splits: each of three steps gets the same artifacts and goes its own way."""
        self.cars = local_data.cars().dropna(subset=["Miles_per_Gallon"]).reset_index(drop=True)
        print(f"{len(self.cars)} cars, run {current.run_id}")
        self.next(self.list_origins, self.describe_years, self.correlate)

    @step
    def list_origins(self):
        """The first branch: one task for each place that cars come from."""
        self.origins = sorted(self.cars["Origin"].unique())
        self.next(self.describe_origin, foreach="origins")

    @step
    def describe_origin(self):
        """Of one origin: its statistics and its thriftiest cars."""
        cars = self.cars[self.cars["Origin"] == self.input]
        thrifty = cars.sort_values(["Miles_per_Gallon", "Name"], ascending=[False, True])
        self.origin = self.input
        self.statistics = cars[["Miles_per_Gallon", "Horsepower", "Weight_in_lbs"]].describe()
        self.thriftiest = thrifty["Name"].head(self.top).tolist()
        self.next(self.join_origins)

    @step
    def join_origins(self, inputs):
        """The end of the first branch: one table of means, and the lists by origin."""
        self.means = pd.DataFrame({one.origin: one.statistics.loc["mean"] for one in inputs}).T
        self.thriftiest = {one.origin: one.thriftiest for one in inputs}
        self.next(self.join)

    @step
    def describe_years(self):
        """The second branch: the median thrift of each year."""
        years = self.cars["Year"].dt.year
        self.by_year = self.cars.groupby(years)["Miles_per_Gallon"].median()
        self.next(self.join)

    @step
    def correlate(self):
        """The third branch: what goes with thrift, strongest first."""
        numbers = self.cars.select_dtypes("number")
        correlations = numbers.corr()["Miles_per_Gallon"].drop("Miles_per_Gallon")
        self.correlations = correlations.sort_values(key=abs, ascending=False)
        self.next(self.join)

    @step
    def join(self, inputs):
        """The branches meet: `inputs.<step>` is the branch that ended there. All agree on `cars`, so it is merged."""
        self.means, self.thriftiest = inputs.join_origins.means, inputs.join_origins.thriftiest
        self.by_year = inputs.describe_years.by_year
        self.correlations = inputs.correlate.correlations
        self.merge_artifacts(inputs, include=["cars"])
        self.next(self.end)

    @step
    def end(self):
        """Reports."""
        print(self.means.round(1).to_string())
        for origin, names in self.thriftiest.items():
            print(f"thriftiest of {origin}: {', '.join(names)}")
        print(f"miles per gallon, {self.by_year.index[0]}: {self.by_year.iloc[0]:.1f}, ", end="")
        print(f"{self.by_year.index[-1]}: {self.by_year.iloc[-1]:.1f}")
        print(f"goes with it most: {self.correlations.index[0]} ({self.correlations.iloc[0]:+.2f})")


if __name__ == "__main__":
    CarStatsFlow()
