"""P: gangs of parallel tasks."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlflow_provider.flow.lint.naming import listed
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule, at_node, at_step
from airflow_mlflow_provider.flow.reading import FlowReading


def target_not_parallel(reading: FlowReading) -> Iterator[Finding]:
    """P701."""
    for name, transition in reading.transitions.items():
        target = reading.steps.get(transition.targets[0])
        if transition.kind == "parallel" and target is not None and not target.is_parallel:
            message = f"Step {name} starts a gang of step {target.name} (line {target.line}), which lacks @parallel."
            fix = f"Put @parallel above @step of {target.name}."
            yield at_node(reading.steps[name], reading.last_call(name).node, message, fix)


def reached_alone(reading: FlowReading) -> Iterator[Finding]:
    """P702."""
    for step in reading.steps.values():
        if not step.is_parallel:
            continue
        if step.name == reading.start:
            message = (
                f"Step {step.name} carries @parallel, but is the start step: nothing gives it num_parallel."
            )
            yield at_step(step, message, "Remove @parallel, or start the gang from another step.")
        for name in reading.callers_without_gang(step.name):
            line = reading.last_call(name).line
            message = f"Step {step.name} carries @parallel, but step {name} goes to it without num_parallel (line {line})."
            fix = f"Write self.next(self.{step.name}, num_parallel=4), or remove @parallel."
            yield at_step(step, message, fix)


def not_followed_by_join(reading: FlowReading) -> Iterator[Finding]:
    """P703."""
    for step in reading.steps.values():
        if not reading.leaves_gang_open(step):
            continue
        transition = reading.transitions.get(step.name)
        if transition is None:
            message = f"Step {step.name} carries @parallel, but is the end step."
        elif transition.kind == "switch":
            message = f"Step {step.name} carries @parallel, and so cannot be a switch ({listed(transition.targets)})."
        else:
            next_steps = listed(transition.targets)
            message = (
                f"Step {step.name} carries @parallel, so its join must follow at once; {next_steps} follows."
            )
        fix = f"Let {step.name} go to a step with inputs, in which the tasks of the gang meet."
        yield at_step(step, message, fix)


RULES = (
    Rule("P701", "E", "num_parallel target lacks @parallel", target_not_parallel),
    Rule("P702", "E", "@parallel step reached without num_parallel", reached_alone),
    Rule("P703", "E", "@parallel step not followed by its join", not_followed_by_join),
)
