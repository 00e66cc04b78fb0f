"""G: start, end, cycles and steps that are cut off."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlflow_provider.flow.lint.naming import listed
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule, at_node, at_step
from airflow_mlflow_provider.flow.reading import FlowReading, Terminal
from airflow_mlflow_provider.flow.step_source import StepSource


def no_start(reading: FlowReading) -> Iterator[Finding]:
    """G201."""
    if not reading.steps:
        name = reading.flow_class.__name__
        message = f"Flow {name} has no steps."
        yield _at_flow(reading, message, "Write at least one method with @step above it.")
    elif reading.start is None:
        free = [name for name in reading.steps if not reading.callers(name)]
        yield _no_terminal(reading, "start", free)


def no_end(reading: FlowReading) -> Iterator[Finding]:
    """G204."""
    if reading.steps and reading.end is None:
        yield _no_terminal(reading, "end", [step.name for step in reading.steps.values() if not step.calls])


def _no_terminal(reading: FlowReading, what: Terminal, likely: list[str]) -> Finding:
    message = f"Flow {reading.flow_class.__name__} has no {what} step. Its steps: {listed(reading.steps)}."
    which = likely[0] if len(likely) == 1 else "the step"
    return _at_flow(reading, message, f"Name {which} `{what}`, or mark it with @step({what}=True).")


def _at_flow(reading: FlowReading, message: str, fix: str) -> Finding:
    if reading.class_source is None:
        return Finding("", 1, 1, message, fix)
    file, node = reading.class_source
    return Finding(file, node.lineno, node.col_offset + 1, message, fix)


def several_starts(reading: FlowReading) -> Iterator[Finding]:
    """G202."""
    yield from _several(reading, "start")


def several_ends(reading: FlowReading) -> Iterator[Finding]:
    """G205."""
    yield from _several(reading, "end")


def _several(reading: FlowReading, what: Terminal) -> Iterator[Finding]:
    marked = reading.marked(what)
    if len(marked) > 1:
        steps = listed(f"{step.name} (line {step.line})" for step in marked)
        yield at_step(
            marked[1], f"Several steps are marked as {what}: {steps}.", f"Mark one with @step({what}=True)."
        )


def start_mismatch(reading: FlowReading) -> Iterator[Finding]:
    """G203."""
    yield from _mismatch(reading, "start")


def end_mismatch(reading: FlowReading) -> Iterator[Finding]:
    """G206."""
    yield from _mismatch(reading, "end")


def _mismatch(reading: FlowReading, what: Terminal) -> Iterator[Finding]:
    marked, named = reading.marked(what), reading.steps.get(what)
    if len(marked) == 1 and named is not None and marked[0] is not named:
        message = (
            f"Step {marked[0].name} is marked as {what} (line {marked[0].line}), "
            f"while another step is called {what} (line {named.line})."
        )
        yield at_step(marked[0], message, f"Remove {what}=True, or rename step {what}.")


def start_has_callers(reading: FlowReading) -> Iterator[Finding]:
    """G207."""
    callers = (name for name, edge in reading.edges.items() if reading.start in edge.targets)
    for name in callers:
        call = reading.last_call(name)
        message = f"Step {name} goes to the start step {reading.start} (line {call.line}); nothing may."
        yield at_node(
            reading.steps[name],
            call.node,
            message,
            "Go to another step; one after the start may repeat itself, by a switch.",
        )


def end_goes_on(reading: FlowReading) -> Iterator[Finding]:
    """G208."""
    step = reading.steps.get(reading.end or "")
    if step is None or not step.calls or (reading.is_only_step and not _is_called_end(step)):
        return
    call = step.calls[-1]
    message = f"The end step {step.name} calls self.next() at line {call.line}."
    fix = "Remove the call, or mark the step that ends the flow with @step(end=True)."
    yield at_node(step, call.node, message, fix)


def _is_called_end(step: StepSource) -> bool:
    return step.marked("end") or step.name == "end"


def end_joins(reading: FlowReading) -> Iterator[Finding]:
    """G209."""
    step = reading.steps.get(reading.end or "")
    if step is not None and step.inputs_name is not None:
        message = f"The end step {step.name} takes {step.inputs_name}."
        fix = f"Add a join before it: `def join(self, inputs)`, ending with self.next(self.{step.name})."
        yield at_step(step, message, fix)


def cycles(reading: FlowReading) -> Iterator[Finding]:
    """G210; a cycle through the start step is told as G207."""
    for cycle in reading.matching.cycles:
        if cycle[0] == reading.start:
            continue
        last = reading.steps[cycle[-1]]
        path = " -> ".join((*cycle, cycle[0]))
        message = f"The steps form a cycle: {path}. Only a switch may repeat, and only its own step."
        call = last.calls[-1]
        fix = f"Remove the transition from {last.name} to {cycle[0]} (line {call.line})."
        yield at_node(last, call.node, message, fix)


def unreachable(reading: FlowReading) -> Iterator[Finding]:
    """G211; told of the first step of each part that is cut off, and not while transitions are unreadable."""
    if reading.start is None or reading.dangling:
        return
    for root, cut_off in _cut_off_parts(reading):
        step = reading.steps[root]
        others = [name for name in cut_off if name != root]
        also = f" {listed(others)} can only be reached through it." if others else ""
        message = f"Step {root} cannot be reached from {reading.start}: no step goes to it.{also}"
        candidates = _likely_callers(reading, root)
        fix = (
            f"Go to it from {listed(candidates, 'or')}, or remove it."
            if candidates
            else "Go to it, or remove it."
        )
        yield at_step(step, message, fix)


def _cut_off_parts(reading: FlowReading) -> Iterator[tuple[str, list[str]]]:
    remaining = dict.fromkeys(reading.unreachable)
    while remaining:
        called = {t for name in remaining for t in reading.edges[name].targets if t != name}
        root = next((name for name in remaining if name not in called), next(iter(remaining)))
        part, pending = [], [root]
        while pending:
            name = pending.pop()
            if name in remaining:
                del remaining[name]
                part.append(name)
                pending += reading.edges[name].targets
        yield root, part


def _likely_callers(reading: FlowReading, name: str) -> list[str]:
    """Steps that split into the siblings of a step, else the step before it in the source."""
    following = set(reading.edges[name].targets)
    siblings = [s for s, edge in reading.edges.items() if s != name and following & set(edge.targets)]
    callers = [
        caller
        for sibling in siblings
        for caller in reading.callers(sibling)
        if caller in reading.matching.stacks
    ]
    if callers:
        return list(dict.fromkeys(callers))
    names = list(reading.steps)
    before = [s for s in names[: names.index(name)] if s in reading.matching.stacks and s != reading.end]
    return before[-1:]


def no_way_to_end(reading: FlowReading) -> Iterator[Finding]:
    """G212; where no other rule names what stops the path."""
    for name in reading.stranded:
        path = " -> ".join(reading.path_to(name))
        message = (
            f"The end step {reading.end} cannot be reached from step {name}; the path stops there: {path}."
        )
        yield at_step(reading.steps[name], message, f"Let {name} lead to {reading.end}.")


RULES = (
    Rule("G201", "E", "no start step", no_start),
    Rule("G202", "E", "several start steps", several_starts),
    Rule("G203", "E", "another step than the marked one is called start", start_mismatch),
    Rule("G204", "E", "no end step", no_end),
    Rule("G205", "E", "several end steps", several_ends),
    Rule("G206", "E", "another step than the marked one is called end", end_mismatch),
    Rule("G207", "E", "transition to the start step", start_has_callers),
    Rule("G208", "E", "end step calls self.next", end_goes_on),
    Rule("G209", "E", "end step takes inputs", end_joins),
    Rule("G210", "E", "cycle", cycles),
    Rule("G211", "E", "step cannot be reached", unreachable),
    Rule("G212", "E", "end cannot be reached from a step", no_way_to_end),
)
