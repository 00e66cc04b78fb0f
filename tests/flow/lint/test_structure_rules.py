"""Rules about names, start and end, transitions, splits, switches and gangs: what they find, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.flow.lint import lint
from tests.flow.lint.flow_text import assert_announced, load

START_END = """
@step
def start(self):
    self.next(self.end)

@step
def end(self):
    pass
"""

FAULTY = {
    "a reserved step name": """
        @step
        def start(self):
            self.next(self.index)

        @step
        def index(self):  #! N101 index name next input cmd
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a step name with capitals": """
        @step
        def start(self):
            self.next(self.TrainModel)

        @step
        def TrainModel(self):  #! N102 TrainModel 'T' 'M' train_model
            self.next(self._last)

        @step
        def _last(self):  #! N102 _last last
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "no steps": """
        class Flow(FlowSpec):  #! G201 Flow @step
            pass
        """,
    "no start": """
        class Flow(FlowSpec):  #! G201 begin end @step(start=True)
            @step
            def begin(self):
                self.next(self.end)

            @step
            def end(self):
                pass
        """,
    "no end": """
        class Flow(FlowSpec):  #! G204 start finish @step(end=True)
            @step
            def start(self):
                self.next(self.finish)

            @step
            def finish(self):
                pass
        """,
    "two marked starts": """
        @step(start=True)
        def one(self):
            self.next(self.two)

        @step(start=True)
        def two(self):  #! G202 one two 10 14
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "two marked ends": """
        @step
        def start(self):
            self.next({"a": self.one, "b": self.two}, condition="c")

        @step(end=True)
        def one(self):
            pass

        @step(end=True)
        def two(self):  #! G205 one two
            pass

        c = "a"
        """,
    "a marked start beside a step called start": """
        @step(start=True)
        def begin(self):  #! G203 begin start 10 14
            self.next(self.start)

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a marked end beside a step called end": """
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            self.next(self.last)

        @step(end=True)
        def last(self):  #! G206 last end
            pass
        """,
    "a transition to the start": """
        @step
        def start(self):
            self.next(self.a)

        @step
        def a(self):
            self.next({"again": self.start, "done": self.end}, condition="mood")  #! G207 a start 15

        @step
        def end(self):
            pass

        mood = "done"
        """,
    "a start that repeats itself": """
        mood = "out"

        @step
        def start(self):
            self.next({"again": self.start, "out": self.end}, condition="mood")  #! G207 start

        @step
        def end(self):
            pass
        """,
    "an end that goes on": """
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            self.next(self.start)  #! G208 end 15
        """,
    "an end that joins": """
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
        def end(self, inputs):  #! G209 end join
            pass
        """,
    "a cycle": """
        @step
        def start(self):
            self.next(self.a)

        @step
        def a(self):
            self.next(self.b)

        @step
        def b(self):
            self.next(self.a)  #! G210 a -> b from b to a

        @step
        def end(self):
            pass
        """,
    "a cycle through a switch": """
        mood = "out"

        @step
        def start(self):
            self.next(self.a)

        @step
        def a(self):
            self.next(self.b)

        @step
        def b(self):
            self.next({"back": self.a, "out": self.end}, condition="mood")  #! G210 a b

        @step
        def end(self):
            pass
        """,
    "a step that repeats itself without a switch": """
        @step
        def start(self):
            self.next(self.a)

        @step
        def a(self):
            self.next(self.a)  #! G210 a

        @step
        def end(self):
            pass
        """,
    "a step that nothing leads to": """
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next(self.join)

        @step
        def b(self):
            self.next(self.join)

        @step
        def c(self):  #! G211 c start
            self.next(self.c2)

        @step
        def c2(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a join whose split forgot all but one branch": """
        @step
        def start(self):
            self.next(self.a)

        @step
        def a(self):
            self.next(self.join)

        @step
        def b(self):  #! G211 b start
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "signatures that cannot be called": """
        @step
        def start(self, a, b):  #! T301 start self inputs
            self.next(self.end)

        @step
        def end():  #! T301 end self
            pass
        """,
    "a required keyword": """
        @step
        def start(self, *, mode):  #! T301 start mode
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "steps that would not run": """
        @step
        def start(self):  #! T301 start yield
            yield 1
            self.next(self.a)

        @step
        async def a(self):  #! T301 a async
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "no self.next": """
        @step
        def start(self):
            self.next(self.a)

        @step
        def a(self):
            self.x = 1
            print(self.x)  #! T303 a 16 self.b

        @step
        def b(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "self.next in both halves of an if": """
        @step
        def start(self):
            self.next(self.a)

        @step
        def a(self):
            if self.small:
                self.next(self.b)  #! T304 a 16 18 switch "b" "c"
            else:
                self.next(self.c)

        @step
        def b(self):
            self.next(self.end)

        @step
        def c(self):
            self.next(self.end)

        @step
        def end(self):
            pass

        small = True
        """,
    "self.next before the last statement, in a loop, in a try and as a value": """
        @step
        def start(self):
            self.next(self.a)  #! T304 start 11
            print("done")

        @step
        def a(self):
            for _ in range(3):
                self.next(self.b)  #! T304 a 17 loop

        @step
        def b(self):
            try:
                self.next(self.c)  #! T304 b 22 try
            finally:
                pass

        @step
        def c(self):
            return self.next(self.d)  #! T304 c 28 return

        @step
        def d(self):
            with open("x"):
                self.next(self.end)  #! T304 d with

        @step
        def end(self):
            pass
        """,
    "a second call that says something else": """
        @step
        def start(self):
            if self.name:
                self.next(self.a)  #! T304 start 12 14
                return
            self.next(self.end)

        @step
        def a(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "calls of no legal form": """
        @step
        def start(self):
            self.next()  #! T305 start

        @step
        def a(self):
            self.next("b")  #! T305 a "b"

        @step
        def b(self):
            self.next(self.c, forech="items")  #! T305 b forech foreach

        @step
        def c(self):
            self.next(*self.targets)  #! T305 c *self.targets

        @step
        def d(self):
            self.next(self.e, foreach="x", num_parallel=2)  #! T305 d foreach num_parallel

        @step
        def e(self):
            self.next(self.f, condition="x")  #! T305 e condition dict

        @step
        def f(self):
            self.next({"a": self.g, "b": self.h}, condition="x", foreach="y")  #! T305 f condition foreach

        @step
        def g(self):
            self.next({"a": self.h, "b": self.end()}, condition="x")  #! T305 g self.end()

        @step
        def h(self):
            self.next(self.i, allow_empty=True)  #! T305 h allow_empty foreach

        @step
        def i(self):
            self.next(self.j, foreach="x", allow_empty=self.name)  #! T305 i self.name True

        @step
        def i2(self):
            self.next(self.j, foreach="x", min_success_ratio=2)  #! T305 i2 min_success_ratio 2

        @step
        def i3(self):
            self.next(self.j, num_parallel=2, min_success_ratio=0.5)  #! T305 i3 foreach

        @step
        def j(self):
            self.next(self.k, self.k)  #! T305 j self.k twice

        @step
        def k(self):
            self.next(self.end, **self.how)  #! T305 k **

        @step
        def end(self):
            pass
        """,
    "a misspelt target": """
        @step
        def start(self):
            self.next(self.trian)  #! T306 start trian train

        @step
        def train(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a target that is not written yet and is spelt much like another": """
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next(self.train_a)

        @step
        def b(self):
            self.next(self.train_b)  #! T306 b train_b

        @step
        def train_a(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a target that lacks @step": """
        @step
        def start(self):
            self.next(self.train)  #! T306 start train @step

        def train(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "an unknown target leaves what would follow it alone": """
        @step
        def start(self):
            self.next(self.xyz)  #! T306 start xyz

        @step
        def a(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "the only step goes to a method without @step": """
        @step
        def start(self):
            self.next(self.train)  #! T306 start train @step

        def train(self):
            pass
        """,
    "several independent mistakes are told together": """
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next(self.gahter)  #! T306 a gahter gather

        @step
        def b(self):
            if self.name:
                self.next(self.gather)  #! T304 b 20
            print()

        @step
        def Join2(self, inputs):  #! N102 Join2 #! G211 Join2
            self.next(self.end)

        @step
        def gather(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
}

SOUND = {
    "no warnings about plain flows": START_END,
    "one step needs no marks": """
        @step
        def whatever(self):
            pass
        """,
    "renamed start and end": """
        @step(start=True)
        def begin(self):
            self.next(self.finish)

        @step(end=True)
        def finish(self):
            pass
        """,
    "a marked step of the right name": """
        @step(start=True)
        def start(self):
            self.next(self.end)

        @step(end=True)
        def end(self):
            pass
        """,
    "arguments that have defaults": """
        @step
        def start(self, *args, verbose=False, **kwargs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "the same call twice, once before an early return": """
        @step
        def start(self):
            if self.name:
                self.next(self.end)
                return
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "another object's next": """
        @step
        def start(self):
            walk = self.name
            walk.next(self.name)
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "an argument that is not called self": """
        @step
        def start(this):
            this.next(this.end)

        @step
        def end(this):
            pass
        """,
    "two cases with one target": """
        mood = "out"

        @step
        def start(self):
            self.next({"a": self.end, "b": self.end}, condition="mood")

        @step
        def end(self):
            pass
        """,
    "literals of all kinds as keys": """
        mood = "out"

        @step
        def start(self):
            self.next({"a": self.end, -1: self.end, 2.5: self.end, True: self.end}, condition="mood")

        @step
        def end(self):
            pass
        """,
}


@pytest.mark.parametrize("name", FAULTY)
def test_exactly_the_announced_findings_are_made(name: str, tmp_path: Path) -> None:
    assert_announced(load(tmp_path, FAULTY[name]))


@pytest.mark.parametrize("name", SOUND)
def test_legal_flows_have_no_findings(name: str, tmp_path: Path) -> None:
    assert lint(load(tmp_path, SOUND[name])) == []
