"""Rules about artifacts, parameters and members: what they find, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.flow.lint import lint
from tests.flow.lint.flow_text import assert_announced, load

FAULTY = {
    "an artifact that no step sets": """
        @step
        def start(self):
            self.scores = [1]
            self.next(self.end)

        @step
        def end(self):
            print(self.score)  #! A901 end score scores start
        """,
    "an artifact that is set later only": """
        @step
        def start(self):
            print(self.total)  #! A901 start total end
            self.next(self.end)

        @step
        def end(self):
            self.total = 1
        """,
    "an artifact that is added to before it is set": """
        @step
        def start(self):
            self.count += 1  #! A901 start count
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a foreach and a condition over names that are not set": """
        @step
        def start(self):
            self.items = [1]
            self.next(self.a, foreach="itmes")  #! A901 itmes items start

        @step
        def a(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next({"a": self.b, "b": self.end}, condition="mood")  #! A901 mood join

        @step
        def b(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "an artifact read in a method that a step calls": """
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            self.report()

        def report(self):
            print(self.result)  #! A901 end result
        """,
    "an artifact read in a property and a comprehension": """
        @step
        def start(self):
            print([self.scale * x for x in self.twice])  #! A901 start scale
            self.next(self.end)

        @property
        def twice(self):
            return [self.base]  #! A901 start base

        @step
        def end(self):
            pass
        """,
    "an artifact that a foreach join drops": """
        @step
        def start(self):
            self.items = [1, 2]
            self.next(self.a, foreach="items")

        @step
        def a(self):
            self.square = self.input ** 2
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(i.square for i in inputs)
            self.next(self.end)

        @step
        def end(self):
            print(self.total)
            print(self.items)  #! A901 end items start join merge_artifacts
            print(self.square)  #! A901 end square a join
        """,
    "an artifact left out of a merge": """
        @step
        def start(self):
            self.kept = self.left = 1
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next(self.join)

        @step
        def b(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.merge_artifacts(inputs, exclude=["left"])
            self.next(self.end)

        @step
        def end(self):
            print(self.kept, self.left)  #! A901 end left join
        """,
    "an artifact of two branches that is not merged": """
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.model = "linear"
            self.next(self.join)

        @step
        def b(self):
            self.model = "forest"
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            print(self.model)  #! A904 model a b 15 20 join
        """,
    "the join itself reads what its branches set": """
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.model = "linear"
            self.next(self.join)

        @step
        def b(self):
            self.model = "forest"
            self.next(self.join)

        @step
        def join(self, inputs):
            print(self.model)  #! A904 join model 15 20
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "functions as artifacts": """
        @step
        def start(self):
            def local(x):
                return x

            self.a = lambda x: x  #! A902 start a lambda
            self.b = self.helper  #! A902 start b helper
            self.c = local  #! A902 start c local
            self.d = load_data  #! A902 start d load_data
            self.next(self.end)

        def helper(self):
            pass

        @step
        def end(self):
            pass
        """,
    "a merge outside a join": """
        @step
        def start(self):
            self.merge_artifacts([])  #! A903 start 11
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a merge with include and exclude": """
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
        def join(self, inputs):
            self.merge_artifacts(inputs, include=["x"], exclude=("y",))  #! A903 join x y
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "assignments to what is fixed": """
        alpha = Parameter("alpha", default=1)
        cfg = Config("cfg", default_value={})
        LIMIT = 3

        @step
        def start(self):
            self.alpha = 2  #! M804 start alpha parameter
            self.cfg = {}  #! M804 start cfg config
            self.LIMIT += 1  #! M804 start LIMIT constant
            setattr(self, "LIMIT", 4)  #! M804 LIMIT
            self.name = "x"  #! M804 start name
            self.index: int = 1  #! M804 start index
            self.helper()
            self.next(self.end)

        def helper(self):
            self.alpha, self.other = 1, 2  #! M804 start alpha

        @step
        def end(self):
            pass
        """,
    "equal names": """
        alpha = Parameter("alpha", default=1)
        other = Parameter("Alpha", default=1)  #! M801 alpha Alpha
        one = Config("cfg", default_value={})
        two = Config("cfg", default_value={})  #! M801 cfg

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "reserved names": """
        a = Parameter("run-id", default=1)  #! M802 run-id max-workers
        b = Parameter("max_workers", default=1)  #! M802 max_workers
        c = Parameter("tags", default=1)  #! M802 tags

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "fields that cannot be used": """
        one = Parameter("one", help=load_data)  #! M803 one help
        two = Parameter("two", default=3, separator=",")  #! M803 two separator
        three = Parameter("three", type=int, separator=",")  #! M803 three separator
        cfg = Config("cfg", default="a.json", default_value={})  #! M803 cfg default default_value
        four = Parameter("four", type=complex)  #! W:M803 four complex

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "definitions that redefine others": """
        alpha = 1
        alpha = Parameter("alpha", default=1)  #! N103 alpha 9 10 wins
        end = 3

        @step
        def start(self):
            self.next(self.end)

        @step
        def start(self):  #! N103 start 14 18
            self.next(self.end)

        @step
        def end(self):  #! N103 end 11 22
            pass
        """,
    "definitions that hide members of FlowSpec": """
        input = 3  #! N103 input FlowSpec
        foreach_stack = Parameter("stack", default=1)  #! N103 foreach_stack FlowSpec

        @step
        def start(self):
            self.next(self.script_name)

        @step
        def script_name(self):  #! N103 script_name FlowSpec
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "definitions that redefine those of a base": """
        class Base(FlowSpec):
            alpha = Parameter("alpha", default=1)

            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass

        class Flow(Base):
            alpha = 3  #! N103 alpha Base Flow 9

            @step
            def end(self):  #! N103 end Base Flow 16
                print(self.alpha)
        """,
    "an artifact named like nothing close": """
        @step
        def start(self):
            self.rows = 1
            self.next(self.end)

        @step
        def end(self):
            self.rows2 = self.zebra  #! A901 zebra
        """,
}

SOUND = {
    "everything that may set a name": """
        default = 1

        def __init__(self, use_cli=True):
            self.opened = 1
            super().__init__(use_cli=use_cli)

        @catch(var="failure")
        @retry
        @step
        def start(self):
            self.a: int = 1
            self.b, (self.c, *self.d) = 1, (2, 3)
            for self.e in range(3):
                pass
            with open(self.script_name) as self.f:
                pass
            self.g = self.h = 1
            setattr(self, "i", 1)
            self.helper()
            super().__init__(use_cli=False)
            self.next(self.end)

        def helper(self):
            self.j = 1

        @step
        def end(self):
            print(self.a, self.b, self.c, self.d, self.e, self.f, self.g, self.h, self.i, self.j)
            print(self.failure, self.default, self.opened, self.name, self.index, self._private)
        """,
    "reads that may fail": """
        @step
        def start(self):
            if hasattr(self, "a"):
                print(self.a)
            print(getattr(self, "b", None))
            try:
                print(self.c)
            except AttributeError:
                pass
            try:
                print(self.d)
            except (KeyError, Exception):
                pass
            import contextlib
            with contextlib.suppress(AttributeError):
                print(self.e)
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "names set in ways that cannot be told": """
        @step
        def start(self):
            for name in ("a", "b"):
                setattr(self, name, 1)
            self.next(self.middle)

        @step
        def middle(self):
            print(self.a)
            self.next(self.end)

        @step
        def end(self):
            print(self.b)
        """,
    "self given away": """
        @step
        def start(self):
            fill(self)
            self.next(self.end)

        @step
        def end(self):
            print(self.a)
        """,
    "the dictionary of self": """
        @step
        def start(self):
            self.__dict__.update(a=1)
            self.next(self.end)

        @step
        def end(self):
            print(self.a)
        """,
    "attributes answered by code": """
        def __getattr__(self, name):
            return 1

        @step
        def start(self):
            print(self.anything)
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "a step around which code of the user's runs": """
        from airflow_mlflow_provider.flow.user_decorators import UserStepDecorator

        class filled(UserStepDecorator):
            def pre_step(self, step_name, flow, inputs=None):
                flow.contents = 1

        class Flow(FlowSpec):
            @filled
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                print(self.contents)
        """,
    "an artifact set on one of two paths": """
        mood = "x"

        @step
        def start(self):
            self.next({"x": self.a, "y": self.b}, condition="mood")

        @step
        def a(self):
            self.result = 1
            self.next(self.end)

        @step
        def b(self):
            self.next(self.end)

        @step
        def end(self):
            print(self.result)
        """,
    "an artifact set by an earlier iteration": """
        @step
        def start(self):
            self.rounds = 0
            self.next(self.loop)

        @step
        def loop(self):
            if self.rounds:
                print(self.previous)
            self.rounds += 1
            self.previous = self.rounds
            self.done = self.rounds > 3
            self.next({True: self.end, False: self.loop}, condition="done")

        @step
        def end(self):
            pass
        """,
    "artifacts merged or set in a join": """
        @step
        def start(self):
            self.common = 1
            self.next(self.a, self.b)

        @step
        def a(self):
            self.model = "linear"
            self.only_a = 1
            self.next(self.join)

        @step
        def b(self):
            self.model = "forest"
            self.next(self.join)

        @step
        def join(self, inputs):
            self.model = inputs.a.model
            self.merge_artifacts(inputs)
            self.next(self.end)

        @step
        def end(self):
            print(self.model, self.common, self.only_a)
        """,
    "a merge in a helper and one with include": """
        @step
        def start(self):
            self.kept = 1
            self.items = [1]
            self.next(self.a, foreach="items")

        @step
        def a(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.merge_all(inputs)
            print(self.kept, self.items)
            self.next(self.c, self.d)

        def merge_all(self, inputs):
            self.merge_artifacts(inputs, include=["kept", "items"])

        @step
        def c(self):
            self.next(self.join2)

        @step
        def d(self):
            self.next(self.join2)

        @step
        def join2(self, inputs):
            self.merge_artifacts(inputs, exclude=["items"])
            self.next(self.end)

        @step
        def end(self):
            print(self.kept)
        """,
    "functions that are used, replaced or deleted": """
        @step
        def start(self):
            self.score = lambda x: x
            self.value = self.score(1)
            del self.score
            self.apply = len
            self.apply = self.apply([])
            local = self.name
            self.local = local
            self.helped = self.helper()
            self.klass = int
            self.next(self.end)

        def helper(self):
            return 1

        @step
        def end(self):
            pass
        """,
    "assignments in a try": """
        alpha = Parameter("alpha", default=1)

        @step
        def start(self):
            try:
                self.alpha = 2
            except AttributeError:
                print("fixed")
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "parameters whose names differ": """
        alpha = Parameter("alpha", default=1)
        beta = Parameter("alpha2", default=1)
        runs = Parameter("runs", default=1)
        cfg = Config("cfg", default_value={})
        upper = Config("CFG", default_value={})

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "fields that may be functions or configs": """
        cfg = Config("cfg", default_value=load_data, parser=load_data)
        one = Parameter("one", default=load_data, type=int)
        two = Parameter("two", default="a,b", separator=",", help=cfg.text)
        three = Parameter("three", separator=",", type=str, required=cfg.needed)
        four = Parameter("four", type=cfg.kind, default=1)

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "overrides that are meant": """
        class Base(FlowSpec):
            items = [1]
            items = items + [2]

            @step
            def start(self):
                self.next(self.train)

            @step
            def train(self):
                raise NotImplementedError

            @step
            def end(self):
                self.done = True

        class Flow(Base):
            @step
            def train(self):
                self.next(self.end)

            @step
            def end(self):
                super().end()
                print(self.done)
        """,
    "warnings that the source silences": """
        LIMIT = 3

        @step
        def start(self):
            self.LIMIT = 4  # flow: ignore[M804]
            print(self.nothing)  # flow: ignore[A901, A904]
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    "functions with a self of their own": """
        @step
        def start(self):
            class Local:
                def method(self):
                    return self.unknown

            self.x = [o for o in map(lambda self: self.unknown, [])]
            self.next(self.end)

        @step
        def end(self):
            print(self.x)
        """,
}


@pytest.mark.parametrize("name", FAULTY)
def test_exactly_the_announced_findings_are_made(name: str, tmp_path: Path) -> None:
    assert_announced(load(tmp_path, FAULTY[name]))


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_said_of_what_may_be_right(name: str, tmp_path: Path) -> None:
    assert lint(load(tmp_path, SOUND[name])) == []


def test_an_error_cannot_be_silenced(tmp_path: Path) -> None:
    text = """
    @step
    def start(self):
        self.next(self.nowhere)  # flow: ignore[T306]

    @step
    def end(self):
        pass
    """
    assert [issue.rule for issue in lint(load(tmp_path, text))] == ["T306"]
