"""Random specifications: sound flows of any nesting, small enough to run."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.model.failures import KINDS, POLICIES, catchable, fault
from tests.model.reference import interpret
from tests.model.spec import SPLITS, Block, Branch, Fault, Foreach, Gang, Item, Loop, Plain, Switch

MAX_TASKS = 60
_SIMPLE = ("plain", "loop")
_NESTED = (*_SIMPLE, "branch", "foreach", "gang", "switch")


class _Builder:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.made = 0

    def name(self) -> str:
        self.made += 1
        return f"s{self.made}"

    def block(self, depth: int, *, least: int, before_join: bool) -> Block:
        """A block; ``before_join``: what follows is a join, so that nothing may be left open to it."""
        kinds = self.draw(
            st.lists(st.sampled_from(_NESTED if depth else _SIMPLE), min_size=least, max_size=2)
        )
        items: list[Item] = []
        for kind in kinds:
            closes = bool(items) and isinstance(items[-1], SPLITS)
            if kind == "loop" and (closes or not items):
                # A loop is no join, and neither a start nor the first step of a branch that may be a join's.
                items.append(Plain(self.name()))
            items.append(self.item(kind, depth))
        if items and (isinstance(items[-1], SPLITS) or (before_join and not isinstance(items[-1], Plain))):
            items.append(Plain(self.name()))
        return tuple(items)

    def item(self, kind: str, depth: int) -> Item:
        name = self.name()
        if kind == "loop":
            return Loop(name, self.draw(st.sampled_from([(1,), (3,), (2, 1)])))
        if kind == "branch":
            arms = self.draw(st.integers(2, 3))
            return Branch(name, tuple(self.block(depth - 1, least=1, before_join=True) for _ in range(arms)))
        if kind == "foreach":
            widths = self.draw(st.sampled_from([(2,), (1,), (3, 1), (0,), (2, 0)]))
            return Foreach(name, widths, self.block(depth - 1, least=1, before_join=True))
        if kind == "gang":
            return Gang(name, self.draw(st.integers(1, 2)), self.name())
        if kind == "switch":
            arms = self.draw(st.integers(1, 2))
            others = tuple(self.block(depth - 1, least=1, before_join=False) for _ in range(arms))
            first = self.block(depth - 1, least=arms == 1 and self.draw(st.integers(0, 1)), before_join=False)
            return Switch(name, (first, *others), self.draw(st.integers(0, 2)))
        return Plain(name)


@st.composite
def flows(draw: st.DrawFn) -> Block:
    """A sound flow of at most ``MAX_TASKS`` tasks."""
    builder = _Builder(draw)
    inner = builder.block(2, least=1, before_join=False)
    return (*inner, Plain("last"))


def small(flow: Block) -> bool:
    """Whether a flow is small enough to run."""
    return len(interpret(flow).tasks) <= MAX_TASKS


@st.composite
def faults(draw: st.DrawFn, flow: Block, policies: tuple[str, ...] = tuple(POLICIES)) -> Fault:
    """A failure in any task of a flow."""
    step, task = draw(st.sampled_from(sorted(interpret(flow).tasks)))
    allowed = [policy for policy in policies if step in catchable(flow) or not POLICIES[policy][2]]
    # No timeouts: each takes seconds, and ends as an exception does.
    return fault(step, task, draw(st.sampled_from(KINDS[:2])), draw(st.sampled_from(allowed)))
