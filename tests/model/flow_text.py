"""The text of a flow file from a specification: the other reading of it, which the product runs."""

from __future__ import annotations

from tests.model.spec import SPLITS, Block, Branch, Fault, Foreach, Gang, Item, Loop, Plain, Switch, steps_of

NAME = "ModelFlow"
_FLOW = '''"""Written by tests/model/flow_text.py."""

import os
import signal
import time


class {name}(FlowSpec):
    def total(self):
        return sum(frame[0] for frame in self.foreach_stack())
{steps}'''
_FAULTS = {
    "exception": 'raise ValueError("told to fail")',
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "timeout": "time.sleep(60)",
    "pod": 'print("ready to die", flush=True); time.sleep(600)',
}
# Far more than a step needs on a busy machine, as every task of the step has to make do with it.
LIMIT_SECONDS = 3


def flow_text(
    flow: Block, fault: Fault | None = None, name: str = NAME, limit_seconds: int = LIMIT_SECONDS
) -> str:
    """The source of a flow, for `FlowFile`, with a fault put in, if any."""
    writer = _Writer(flow, fault, limit_seconds)
    writer.block(flow, "", joins=False)
    return _FLOW.format(name=name, steps="".join(writer.steps))


class _Writer:
    def __init__(self, flow: Block, fault: Fault | None, limit_seconds: int) -> None:
        self.fault = fault
        self.limit_seconds = limit_seconds
        self.steps: list[str] = []
        self.first, self.last = flow[0].name, flow[-1].name
        self.single = len(list(steps_of(flow))) == 1

    def block(self, block: Block, following: str, *, joins: bool) -> None:
        """Write a block; ``following`` is the step after it, ``joins`` whether its first step is a join."""
        for position, item in enumerate(block):
            after = block[position + 1].name if position + 1 < len(block) else following
            self.item(item, after, joins=joins)
            joins = isinstance(item, SPLITS)

    def item(self, item: Item, after: str, *, joins: bool) -> None:
        if isinstance(item, Gang):
            self.step(item.name, [f"self.next(self.{item.member}, num_parallel={item.nodes})"], joins=joins)
            self.step(item.member, [f"self.next(self.{after})"], member=True)
            return
        self.step(item.name, _transition(item, after), joins=joins)
        if isinstance(item, Foreach):
            self.block(item.body, after, joins=False)
        elif isinstance(item, Branch | Switch):
            for arm in item.arms:
                self.block(arm, after, joins=False)

    def step(self, name: str, transition: list[str], *, joins: bool = False, member: bool = False) -> None:
        place = (
            "{current.parallel.node_index} {current.parallel.num_nodes}"
            if member
            else "{self.index} {self.input}"
        )
        label = f'label = f"{name} {place} try {{current.retry_count}}"'
        trail = (
            '(label, *[getattr(one, "trail", ()) for one in inputs])'
            if joins
            else '(*getattr(self, "trail", ()), label)'
        )
        lines = [*self.strike(name), label, f"self.trail = {trail}", *transition]
        body = "\n".join(f"        {line}" for line in lines)
        decorators = "".join(
            f"    @{each}\n"
            for each in [*self.guards(name), *(["parallel"] if member else []), self.mark(name)]
        )
        self.steps.append(f"\n{decorators}    def {name}(self{', inputs' if joins else ''}):\n{body}\n")

    def mark(self, name: str) -> str:
        if self.single:
            return "step"
        if name == self.first and name != "start":
            return "step(start=True)"
        return "step(end=True)" if name == self.last and name != "end" else "step"

    def guards(self, name: str) -> list[str]:
        fault = self.fault
        if fault is None or fault.step != name:
            return []
        return [
            *(['catch(var="error", print_exception=False)'] if fault.catch else []),
            *([f"retry(times={fault.retries}, minutes_between_retries=0)"] if fault.retries else []),
            *([f"timeout(seconds={self.limit_seconds})"] if fault.kind == "timeout" else []),
        ]

    def strike(self, name: str) -> list[str]:
        fault = self.fault
        if fault is None or fault.step != name:
            return []
        condition = f"current.task_id == {fault.task!r} and current.retry_count < {fault.attempts}"
        return [f"if {condition}:", f"    {_FAULTS[fault.kind]}"]


def _transition(item: Item, after: str) -> list[str]:
    if isinstance(item, Plain):
        return [f"self.next(self.{after})"] if after else []
    if isinstance(item, Branch):
        return [f"self.next({', '.join(f'self.{arm[0].name}' for arm in item.arms)})"]
    if isinstance(item, Foreach):
        allowed = ", allow_empty=True" if 0 in item.widths else ""
        allowed += f", min_success_ratio={item.ratio}" if item.ratio < 1 else ""
        return [
            f"width = {item.widths}[self.total() % {len(item.widths)}]",
            f'self.elements = [f"{item.name}-{{i}}" for i in range(width)]',
            f'self.next(self.{item.body[0].name}, foreach="elements"{allowed})',
        ]
    if isinstance(item, Loop):
        turns = f"turns_{item.name}"
        return [
            f'self.{turns} = getattr(self, "{turns}", 0) + 1',
            f"self.repeats = self.{turns} < {item.turns}[self.total() % {len(item.turns)}]",
            f'self.next({{True: self.{item.name}, False: self.{after}}}, condition="repeats")',
        ]
    assert isinstance(item, Switch)
    heads = [arm[0].name if arm else after for arm in item.arms]
    cases = ", ".join(f"{number}: self.{head}" for number, head in enumerate(heads))
    return [
        f"self.arm = (self.total() + {item.shift}) % {len(item.arms)}",
        f'self.next({{{cases}}}, condition="arm")',
    ]
