"""P: gangs of parallel tasks."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlflow_provider.flow.lint.naming import listed
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule, at_node, at_step
from airflow_mlflow_provider.flow.reading import FlowReading
from airflow_mlflow_provider.flow.step_source import StepSource


def is_parallel(step: StepSource) -> bool:
    """Whether the step carries ``@parallel`` or a decorator that stands for it."""
    return any(
        decorator.name == "parallel" or getattr(decorator, "IS_PARALLEL", False)
        for decorator in step.decorators
    )


def target_not_parallel(reading: FlowReading) -> Iterator[Finding]:
    """P701."""
    for name, transition in reading.transitions.items():
        target = reading.steps.get(transition.targets[0])
        if transition.kind == "parallel" and target is not None and not is_parallel(target):
            message = f"Step {name} starts a gang of step {target.name} (line {target.line}), which lacks @parallel."
            fix = f"Put @parallel above @step of {target.name}."
            yield at_node(reading.steps[name], reading.last_call(name).node, message, fix)


def reached_alone(reading: FlowReading) -> Iterator[Finding]:
    """P702."""
    for step in reading.steps.values():
        if not is_parallel(step):
            continue
        if step.name == reading.start:
            message = (
                f"Step {step.name} carries @parallel, but is the start step: nothing gives it num_parallel."
            )
            yield at_step(step, message, "Remove @parallel, or start the gang from another step.")
        for name in _callers(reading, step.name):
            line = reading.last_call(name).line
            message = f"Step {step.name} carries @parallel, but step {name} goes to it without num_parallel (line {line})."
            fix = f"Write self.next(self.{step.name}, num_parallel=4), or remove @parallel."
            yield at_step(step, message, fix)


def _callers(reading: FlowReading, target: str) -> list[str]:
    return [
        name
        for name, transition in reading.transitions.items()
        if target in transition.targets and transition.kind != "parallel" and name != target
    ]


def not_followed_by_join(reading: FlowReading) -> Iterator[Finding]:
    """P703."""
    for step in reading.steps.values():
        if not _leaves_gang_open(reading, step):
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


def _leaves_gang_open(reading: FlowReading, step: StepSource) -> bool:
    if not is_parallel(step) or step.name == reading.start or _callers(reading, step.name):
        return False
    transition = reading.transitions.get(step.name)
    if transition is None:
        return step.name == reading.end
    targets = [reading.steps[target] for target in transition.targets if target in reading.steps]
    if len(targets) < len(transition.targets):
        return False
    return transition.kind != "linear" or targets[0].inputs_name is None


def has_gang_fault(reading: FlowReading, split: str) -> bool:
    """Whether the gang that ``split`` starts is not followed by its join, which P703 tells."""
    transition = reading.transitions.get(split)
    target = (
        reading.steps.get(transition.targets[0]) if transition and transition.kind == "parallel" else None
    )
    return target is not None and _leaves_gang_open(reading, target)


RULES = (
    Rule("P701", "E", "num_parallel target lacks @parallel", target_not_parallel),
    Rule("P702", "E", "@parallel step reached without num_parallel", reached_alone),
    Rule("P703", "E", "@parallel step not followed by its join", not_followed_by_join),
)
