"""Extract, transform, train, on working days at six in the morning: a flow with a schedule and parameters of every type.

A local run ignores the schedule. On Airflow the parameters are the fields of the trigger form, checked by their types, and
a scheduled run takes their defaults.

python daily_forecast_flow.py run
python daily_forecast_flow.py run --lags 7 --model '{"kind": "forest", "n_estimators": 50}'
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from vega_datasets import local_data

from airflow_mlflow_provider import FlowSpec, JSONType, Parameter, resources, retry, schedule, step

TARGET = "temp_max"


@schedule(cron="0 6 * * 1-5", timezone="Europe/Berlin")
class DailyForecastFlow(FlowSpec):
    """Trains a forecast of tomorrow's highest temperature in Seattle, and keeps it only if it beats "same as today".

    The data are the four years of daily weather that the package vega_datasets brings along.
    """

    lags = Parameter("lags", default=3, help="Days that the forecast looks back")
    test_share = Parameter("test_share", default=0.2, help="Share of the days, the latest ones, to judge by")
    with_season = Parameter("with_season", default=True, help="Whether the day of the year is a feature")
    unit = Parameter("unit", default="celsius", help="Unit of the report: celsius or fahrenheit")
    model = Parameter(
        "model",
        type=JSONType,
        default={"kind": "ridge", "alpha": 1.0},
        help="The model's kind, ridge or forest, and its settings",
    )

    @retry(times=3, minutes_between_retries=1)
    @step(start=True)
    def extract(self):
        """Reads the raw table. A source that is down for a moment is asked again."""
        self.raw = local_data.seattle_weather()
        self.next(self.transform)

    @step
    def transform(self):
        """Makes one row of features for each day that has the days before it, and splits by time."""
        days = self.raw.set_index("date").sort_index()
        columns = {f"{TARGET}_{lag}": days[TARGET].shift(lag) for lag in range(1, self.lags + 1)}
        columns["precipitation_1"] = days["precipitation"].shift(1)
        if self.with_season:
            angle = 2 * np.pi * days.index.day_of_year / 365.25
            columns |= {"season_sin": np.sin(angle), "season_cos": np.cos(angle)}
        table = pd.DataFrame(columns, index=days.index).assign(target=days[TARGET]).dropna()
        first_test_day = int(len(table) * (1 - self.test_share))
        self.train, self.test = table.iloc[:first_test_day], table.iloc[first_test_day:]
        self.next(self.fit)

    @resources(cpu=1, memory=2000)
    @step
    def fit(self):
        """Trains. `@resources` is what the step asks Kubernetes for; on a laptop it has no effect."""
        settings = dict(self.model)
        kind = settings.pop("kind")
        if kind == "ridge":
            estimator = Ridge(**settings)
        else:
            estimator = RandomForestRegressor(**{"random_state": 0, **settings})
        self.forecaster = estimator.fit(self.train.drop(columns="target"), self.train["target"])
        self.next(self.judge)

    @step
    def judge(self):
        """Compares the mean error with that of the forecast that tomorrow is like today."""
        forecast = self.forecaster.predict(self.test.drop(columns="target"))
        self.error = float(abs(forecast - self.test["target"]).mean())
        self.naive_error = float(abs(self.test[f"{TARGET}_1"] - self.test["target"]).mean())
        self.accepted = self.error < self.naive_error
        self.next(self.report)

    @step(end=True)
    def report(self):
        """Says how good it is; a scheduled run's report is in its log, and in the artifact `summary` for ever."""
        factor, sign = (1.8, "°F") if self.unit == "fahrenheit" else (1.0, "°C")
        verdict = "accepted" if self.accepted else "rejected"
        self.summary = f"{verdict}: mean error {self.error * factor:.2f} {sign}, like today {self.naive_error * factor:.2f} {sign}"
        print(self.summary)


if __name__ == "__main__":
    DailyForecastFlow()
