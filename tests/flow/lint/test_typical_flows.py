"""Flows as tutorials write them: none of them has a finding."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from airflow_mlflow_provider.flow.lint import check, lint
from airflow_mlflow_provider.flow.spec import FlowSpec
from tests.flow.lint.flow_text import load

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(path for path in ROOT.glob("dags_examples/*.py") if "(FlowSpec)" in path.read_text("utf-8"))

TYPICAL = {
    "greeting": """
        @step
        def start(self):
            print("Starting", self.name)
            self.next(self.greet)

        @step
        def greet(self):
            print("Hello")
            self.next(self.end)

        @step
        def end(self):
            print("Done")
        """,
    "a list chosen by a parameter, two branches": """
        genre = Parameter("genre", help="Genre to keep", default="Drama")
        top = Parameter("top", default=5)

        @step
        def start(self):
            self.rows = [("a", "Drama", 3), ("b", "Comedy", 1)]
            self.next(self.best, self.bonus)

        @step
        def best(self):
            kept = [row for row in self.rows if row[1] == self.genre]
            self.movies = sorted(kept, key=lambda row: row[2])[: self.top]
            self.next(self.join)

        @step
        def bonus(self):
            from random import choice

            self.extra = choice([row for row in self.rows if row[1] != self.genre])
            self.next(self.join)

        @step
        def join(self, inputs):
            self.playlist = inputs.best.movies
            self.extra = inputs.bonus.extra
            self.next(self.end)

        @step
        def end(self):
            for place, movie in enumerate(self.playlist):
                print(place, movie)
            print(self.extra)
        """,
    "statistics of each group": """
        @step
        def start(self):
            self.table = {"a": [1, 2], "b": [3]}
            self.groups = list(self.table)
            self.next(self.compute, foreach="groups")

        @step
        def compute(self):
            self.group = self.input
            values = self.table[self.group]
            self.quartiles = [min(values), max(values)]
            self.median = sorted(values)[len(values) // 2]
            self.next(self.join)

        @step
        def join(self, inputs):
            self.stats = {
                each.group.lower(): {"quartiles": each.quartiles, "median": each.median} for each in inputs
            }
            self.merge_artifacts(inputs, include=["table", "groups"])
            self.next(self.end)

        @step
        def end(self):
            for group in self.groups:
                print(group, self.stats[group], len(self.table))
        """,
    "models over folds over parameters": """
        depths = [1, 2]

        @step
        def start(self):
            self.grid = [(depth, rate) for depth in self.depths for rate in (0.1, 0.2)]
            self.next(self.configure, foreach="grid")

        @step
        def configure(self):
            self.depth, self.rate = self.input
            self.folds = range(3)
            self.next(self.train, foreach="folds")

        @retry
        @catch(var="failure")
        @step
        def train(self):
            self.fold = self.index
            self.score = self.depth * self.rate + self.fold
            self.next(self.average)

        @step
        def average(self, inputs):
            good = [each for each in inputs if not each.failure]
            self.merge_artifacts(inputs, exclude=["score", "fold", "failure"])
            self.mean = sum(each.score for each in good) / len(good)
            self.next(self.choose)

        @step
        def choose(self, inputs):
            best = max(inputs, key=lambda each: each.mean)
            self.best = (best.depth, best.rate, best.mean)
            self.next(self.end)

        @step
        def end(self):
            print(self.best)
        """,
    "training until it is good enough, then a choice": """
        goal = Parameter("goal", default=0.9)

        @step
        def start(self):
            self.accuracy = 0.0
            self.round = 0
            self.next(self.improve)

        @step
        def improve(self):
            self.round += 1
            self.accuracy += 0.2
            self.verdict = "go on" if self.accuracy < self.goal else "enough"
            self.next({"go on": self.improve, "enough": self.decide}, condition="verdict")

        @step
        def decide(self):
            self.quick = self.round < 3
            self.next({True: self.ship, False: self.hold}, condition="quick")

        @step
        def ship(self):
            self.outcome = "shipped"
            self.next(self.end)

        @step
        def hold(self):
            self.outcome = "held"
            self.next(self.end)

        @step
        def end(self):
            print(self.outcome, self.round, self.accuracy)
        """,
    "a gang": """
        nodes = Parameter("nodes", default=2)

        @step
        def start(self):
            self.next(self.train, num_parallel=self.nodes)

        @parallel
        @step
        def train(self):
            from airflow_mlflow_provider.flow.current import current

            self.node = current.parallel.node_index
            self.next(self.gather)

        @step
        def gather(self, inputs):
            self.nodes_seen = sorted(each.node for each in inputs)
            self.next(self.end)

        @step
        def end(self):
            print(self.nodes_seen)
        """,
    "shared steps and helpers of a base class": """
        class Report:
            def report(self, text):
                self.lines = [*getattr(self, "lines", []), text]

        class Base(FlowSpec, Report):
            size = Parameter("size", default=3)

            @step
            def start(self):
                self.report("start")
                self.items = list(range(self.size))
                self.next(self.work, foreach="items")

            @step
            def work(self):
                raise NotImplementedError

            @step
            def join(self, inputs):
                self.results = [each.result for each in inputs]
                self.merge_artifacts(inputs, exclude=["result"])
                self.next(self.end)

            @step
            def end(self):
                print(self.lines, self.results)

        class Flow(Base):
            @step
            def work(self):
                self.result = self.double(self.input)
                self.next(self.join)

            @staticmethod
            def double(value):
                return 2 * value
        """,
    "a generic, abstract base": """
        from abc import ABC, abstractmethod
        from typing import Generic, TypeVar

        T = TypeVar("T")

        class Model(ABC, Generic[T]):
            @abstractmethod
            def fit(self): ...

        class Flow(FlowSpec, Model[int]):
            @step
            def start(self):
                self.fit()
                self.next(self.end)

            def fit(self):
                self.fitted = True

            @step
            def end(self):
                print(self.fitted)
        """,
    "everything in one step": """
        class Flow(FlowSpec):
            alpha = Parameter("alpha", default=0.1)

            @step
            def run_all(self):
                self.result = self.alpha * 2
                print(self.result)
        """,
    "a join that fans out again, over configs": """
        cfg = Config("cfg", default_value={"regions": ["eu", "us"]})

        @step
        def start(self):
            self.regions = list(self.cfg.regions)
            self.next(self.load, foreach="regions")

        @step
        def load(self):
            self.rows = {"region": self.input, "count": self.index}
            self.next(self.collect)

        @step
        def collect(self, inputs):
            self.tables = [each.rows for each in inputs]
            self.next(self.clean, foreach="tables", allow_empty=True)

        @step
        def clean(self):
            self.table = dict(self.input)
            self.next(self.finish)

        @step
        def finish(self, inputs):
            self.clean_tables = [each.table for each in inputs]
            self.next(self.end)

        @step
        def end(self):
            print(len(self.clean_tables))
        """,
}


@pytest.mark.parametrize("name", TYPICAL)
def test_typical_flows_have_no_findings(name: str, tmp_path: Path) -> None:
    flow = load(tmp_path, TYPICAL[name])
    assert lint(flow) == []
    assert check(flow, strict=True).name == "Flow"


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_the_example_flows_have_no_findings(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, FlowSpec) and value.__module__ == spec.name:
            assert lint(value) == [], path
