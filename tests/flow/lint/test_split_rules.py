"""Rules of splits, joins, switches and gangs, each on flows that break it once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.lint.flow_text import assert_announced, load

FAULTY = {
    "a join without a split": """
        @step
        def start(self):
            self.next(self.a)

        @step
        def a(self):
            self.next(self.join)

        @step
        def join(self, inputs):  #! J401 join inputs start -> a -> join
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a branch that misses its join": """
        @step
        def start(self):
            self.next(self.a, self.b, self.c)

        @step
        def a(self):
            self.next(self.join)

        @step
        def b(self):
            self.next(self.join)

        @step
        def c(self):
            self.next(self.end)

        @step
        def join(self, inputs):  #! J402 join start 11 a b c missing
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a branch that comes straight from the split": """
        @step
        def start(self):
            self.next(self.a, self.join)

        @step
        def a(self):
            self.next(self.join)

        @step
        def join(self, inputs):  #! J402 join start a
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a split that is closed twice": """
        mood = "x"

        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next({"x": self.c, "y": self.d}, condition="mood")

        @step
        def b(self):
            self.next({"x": self.e, "y": self.f}, condition="mood")

        @step
        def c(self):
            self.next(self.one)

        @step
        def e(self):
            self.next(self.one)

        @step
        def d(self):
            self.next(self.two)

        @step
        def f(self):
            self.next(self.two)

        @step
        def one(self, inputs):
            self.next(self.end)

        @step
        def two(self, inputs):  #! J402 two one start
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a join of two splits": """
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next(self.c, self.d)

        @step
        def b(self):
            self.next(self.join)

        @step
        def c(self):
            self.next(self.join)

        @step
        def d(self):
            self.next(self.join)

        @step
        def join(self, inputs):  #! J403 join a start b c d
            self.next(self.outer)

        @step
        def outer(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a step inside and outside of a foreach": """
        mood = "x"

        @step
        def start(self):
            self.items = [1]
            self.next({"x": self.fan, "y": self.work}, condition="mood")

        @step
        def fan(self):
            self.items = [1]
            self.next(self.work, foreach="items")

        @step
        def work(self):  #! J403 work fan start
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a foreach that is never joined": """
        items = [1]

        @step
        def start(self):
            self.next(self.a, foreach="items")

        @step
        def a(self):
            self.next(self.end)

        @step
        def end(self):  #! J404 end start 13 a inputs
            pass
        """,
    "a static split that is never joined": """
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next(self.end)

        @step
        def b(self):
            self.next(self.end)

        @step
        def end(self):  #! J404 end start 11 a b
            pass
        """,
    "branches that meet in a plain step": """
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next(self.meet)

        @step
        def b(self):
            self.next(self.meet)

        @step
        def meet(self):  #! J405 meet start 11 a b inputs
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a foreach that is not a literal": """
        @step
        def start(self):
            self.next(self.a, foreach=self.items)  #! F501 start self.items

        @step
        def a(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a foreach with two targets": """
        items = [1]

        @step
        def start(self):
            self.next(self.a, self.b, foreach="items")  #! F502 start foreach a b

        @step
        def a(self):
            self.next(self.join)

        @step
        def b(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a gang with two targets": """
        @step
        def start(self):
            self.next(self.a, self.b, num_parallel=2)  #! F502 start num_parallel a b

        @parallel
        @step
        def a(self):
            self.next(self.join)

        @parallel
        @step
        def b(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a foreach straight into its join": """
        items = [1]

        @step
        def start(self):
            self.next(self.join, foreach="items")  #! F503 start join

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a foreach body that takes inputs by mistake": """
        items = [1]

        @step
        def start(self):
            self.next(self.work, foreach="items")  #! F503 start work

        @step
        def work(self, inputs):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "malformed switches": """
        x = "a"

        @step
        def start(self):
            self.next({"a": self.a}, condition="x")  #! S601 start 2

        @step
        def a(self):
            self.next({"b": self.b, "c": self.c})  #! S601 a condition

        @step
        def b(self):
            self.next({"c": self.c, "d": self.d}, condition=self.x)  #! S601 b self.x

        @step
        def c(self):
            self.next({}, condition="x")  #! S601 c 0

        @step
        def d(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "keys that cannot be read": """
        x = "a"
        cfg = Config("cfg", default_value={"k": 1})
        KEY = "b"

        @step
        def start(self):
            self.next({
                "a": self.a,
                KEY: self.b,  #! S602 start KEY 17
                self.KEY: self.b,  #! S602 start self.KEY
                self.x.y: self.b,  #! S602 start x self.x.y
                None: self.b,  #! S602 start None
                **self.more,  #! S602 start **self.more
                self.cfg.k: self.a,
            }, condition="x")

        @step
        def a(self):
            self.next(self.end)

        @step
        def b(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "equal keys": """
        x = 1

        @step
        def start(self):
            self.next({
                1: self.a,
                True: self.b,  #! W:S602 start 1 True 14 15
                "1": self.end,
            }, condition="x")

        @step
        def a(self):
            self.next(self.end)

        @step
        def b(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a switch straight into a join": """
        mood = "x"

        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next({"x": self.c, "y": self.join}, condition="mood")  #! S603 a join

        @step
        def b(self):
            self.next(self.join)

        @step
        def c(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a switch that only repeats": """
        mood = "x"

        @step
        def start(self):
            self.next(self.a)

        @step
        def a(self):
            self.next({"x": self.a, "y": self.a}, condition="mood")  #! S604 a 'x' 'y'

        @step
        def end(self):
            pass
        """,
    "a gang of a step without @parallel": """
        @step
        def start(self):
            self.next(self.a, num_parallel=2)  #! P701 start a @parallel

        @step
        def a(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a @parallel step reached alone": """
        @step
        def start(self):
            self.next(self.a)

        @parallel
        @step
        def a(self):  #! P702 a start 11 num_parallel
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a @parallel step that is the start": """
        @parallel
        @step
        def start(self):  #! P702 start
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a gang without its join": """
        @step
        def start(self):
            self.next(self.a, num_parallel=2)

        @parallel
        @step
        def a(self):  #! P703 a b
            self.next(self.b)

        @step
        def b(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a gang that chooses": """
        mood = "x"

        @step
        def start(self):
            self.next(self.a, num_parallel=2)

        @parallel
        @step
        def a(self):  #! P703 a switch b c
            self.next({"x": self.b, "y": self.c}, condition="mood")

        @step
        def b(self):
            self.next(self.end)

        @step
        def c(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
}


@pytest.mark.parametrize("name", FAULTY)
def test_exactly_the_announced_findings_are_made(name: str, tmp_path: Path) -> None:
    assert_announced(load(tmp_path, FAULTY[name]))
