"""J and F: splits, joins and foreach."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.flow.lint.naming import listed
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule, at_node, at_step
from airflow_mlflow_provider.flow.lint.transitions import illegal_part
from airflow_mlflow_provider.flow.matching import Conflict, ConflictKind, Stack
from airflow_mlflow_provider.flow.reading import FlowReading
from airflow_mlflow_provider.flow.written_call import string_of

_Find = Callable[[FlowReading], Iterator[Finding]]


def _conflicts(reading: FlowReading, *kinds: ConflictKind) -> Iterator[Conflict]:
    for conflict in reading.matching.conflicts:
        if conflict.kind in kinds and not _told_elsewhere(reading, conflict):
            yield conflict


def _told_elsewhere(reading: FlowReading, conflict: Conflict) -> bool:
    """Whether another rule names the cause: ``inputs`` on the end, a step that nothing leads to."""
    if conflict.step == reading.end and reading.edges[conflict.step].is_join:
        return True
    left_out = any(conflict.step in reading.edges[name].targets for name in reading.unreachable)
    return conflict.kind == "no-split" and left_out


def join_without_split(reading: FlowReading) -> Iterator[Finding]:
    """J401."""
    for conflict in _conflicts(reading, "no-split"):
        step = reading.steps[conflict.step]
        path = " -> ".join(reading.path_to(conflict.step))
        message = (
            f"Step {step.name} takes {step.inputs_name}, but no split is open where it is reached: {path}."
        )
        yield at_step(step, message, f"Write `def {step.name}(self)`, or open a split above it.")


def wrong_branches(reading: FlowReading) -> Iterator[Finding]:
    """J402."""
    for conflict in _conflicts(reading, "branches", "second-join"):
        split = conflict.split or ""
        message = (
            f"Join {conflict.step} must receive exactly the branches of {_split_at(reading, split)}: "
            f"{listed(conflict.expected)}. It receives {listed(conflict.received)}"
        )
        missing = [target for target in conflict.expected if target not in conflict.received]
        if conflict.other is not None:
            message += f"; but the split is closed by {conflict.other}, too"
            fix = f"Let the paths meet in one step without inputs before the join, and keep only {conflict.other}."
        elif split in conflict.arrivals:
            message += f"; one comes straight from {split}"
            fix = f"Put a step between {split} and {conflict.step}."
        else:
            message += f"; missing: {listed(missing)}"
            fix = f"Let {listed(missing)} lead to {conflict.step}, or take {'it' if len(missing) == 1 else 'them'} out of the split."
        yield at_step(reading.steps[conflict.step], f"{message}.", fix)


def mixed_splits(reading: FlowReading) -> Iterator[Finding]:
    """J403; also for a plain step that is reached inside and outside of a split."""
    for conflict in _conflicts(reading, "mixed"):
        step = reading.steps[conflict.step]
        what = "Join" if step.inputs_name else "Step"
        ways = "; ".join(f"from {source} {_inside(stack)}" for source, stack in conflict.arrivals.items())
        message = f"{what} {step.name} is reached with different open splits: {ways}."
        yield at_step(step, message, "Close each split with a join of its own before the paths meet.")


def open_at_end(reading: FlowReading) -> Iterator[Finding]:
    """J404."""
    for conflict in _conflicts(reading, "open-end"):
        split = conflict.split or ""
        message = (
            f"The end step {conflict.step} is reached while {_split_at(reading, split)} is open; "
            f"its branches: {listed(conflict.expected)}."
        )
        fix = f"Add a join, `def join(self, inputs)`, in which the branches of {split} meet before {conflict.step}."
        yield at_step(reading.steps[conflict.step], message, fix)


def meeting_without_inputs(reading: FlowReading) -> Iterator[Finding]:
    """J405."""
    for conflict in _conflicts(reading, "meeting"):
        message = (
            f"Branches {listed(conflict.received)} of {_split_at(reading, conflict.split or '')} meet in step "
            f"{conflict.step}, which takes no inputs."
        )
        yield at_step(reading.steps[conflict.step], message, f"Write `def {conflict.step}(self, inputs)`.")


def _split_at(reading: FlowReading, split: str) -> str:
    step = reading.steps[split]
    return f"split {split} (line {step.tail.line if step.tail else step.line})"


def _inside(stack: Stack) -> str:
    inside = [f"branch {branch.target} of {branch.split}" for branch in stack]
    return f"inside {listed(inside)}" if inside else "outside of any split"


def foreach_not_literal(reading: FlowReading) -> Iterator[Finding]:
    """F501."""
    for step, call in reading.tails():
        value = call.keywords.get("foreach")
        if value is None or string_of(value) or illegal_part(call):
            continue
        written = call.file.segment(value)
        message = (
            f"Step {step.name}: foreach must be the name of an artifact as a string literal, not `{written}`."
        )
        yield at_node(step, value, message, 'Assign the list to an artifact, and name it: foreach="items".')


def several_targets(reading: FlowReading) -> Iterator[Finding]:
    """F502."""
    for step, call in reading.tails():
        form = next((form for form in ("foreach", "num_parallel") if form in call.keywords), None)
        if form is None or len(call.named) == 1 or illegal_part(call):
            continue
        names = listed(name for name, _ in call.named)
        message = f"Step {step.name}: {form} takes exactly one target, and has {len(call.named)}: {names}."
        fix = "Name one step; it can split into the others."
        yield at_node(step, call.node, message, fix)


def straight_into_join(reading: FlowReading) -> Iterator[Finding]:
    """F503."""
    for name, transition in reading.transitions.items():
        target = reading.steps.get(transition.targets[0])
        if transition.kind != "foreach" or target is None or target.inputs_name is None:
            continue
        step = reading.steps[name]
        message = (
            f"The foreach of step {name} goes straight into {target.name}, which takes {target.inputs_name} "
            f"(line {target.line}) and so is a join."
        )
        fix = f"Put a step between {name} and {target.name}, or write `def {target.name}(self)`."
        yield at_node(step, reading.last_call(name).node, message, fix)


def nested_foreach(reading: FlowReading) -> Iterator[Finding]:
    """F504, only if ``forbid_nested_foreach`` is set."""
    inner = {
        name: [branch.split for branch in reading.matching.stacks.get(name, ())]
        for name, transition in reading.transitions.items()
        if transition.kind == "foreach"
    }
    for name, splits in inner.items():
        outer = [split for split in splits if split in inner]
        if outer and get("forbid_nested_foreach"):
            message = f"The foreach of step {name} is nested in the foreach of step {outer[-1]}."
            fix = f"Join the foreach of {outer[-1]} first; forbid_nested_foreach is set."
            yield at_node(reading.steps[name], reading.last_call(name).node, message, fix)


RULES = (
    Rule("J401", "E", "join below no split", join_without_split),
    Rule("J402", "E", "join without exactly the branches of its split", wrong_branches),
    Rule("J403", "E", "paths with different open splits meet", mixed_splits),
    Rule("J404", "E", "end reached with an open split", open_at_end),
    Rule("J405", "E", "branches meet in a step without inputs", meeting_without_inputs),
    Rule("F501", "E", "foreach is not a string literal", foreach_not_literal),
    Rule("F502", "E", "foreach or num_parallel with several targets", several_targets),
    Rule("F503", "E", "foreach goes straight into a join", straight_into_join),
    Rule("F504", "E", "nested foreach, where it is forbidden", nested_foreach),
)
