"""T: signatures of steps and the form of ``self.next``."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from airflow_mlflow_provider.flow.lint.naming import close_matches, listed, suggestion
from airflow_mlflow_provider.flow.lint.rule import Finding, Rule, at_node, at_step
from airflow_mlflow_provider.flow.reading import FlowReading
from airflow_mlflow_provider.flow.step_source import StepSource
from airflow_mlflow_provider.flow.transition import FORMS, KEYWORDS
from airflow_mlflow_provider.flow.written_call import WrittenCall, ratio_of

# Keywords that say more of a foreach.
_OF_FOREACH = ("allow_empty", "min_success_ratio")

_NOT_RUN = {
    inspect.CO_GENERATOR: "is a generator (it contains `yield`)",
    inspect.CO_COROUTINE: "is a coroutine (`async def`)",
    inspect.CO_ASYNC_GENERATOR: "is an asynchronous generator",
}
_COMPOUND = {"if": "an `if`", "loop": "a loop", "try": "a `try`", "with": "a `with`", "match": "a `match`"}


def signature(reading: FlowReading) -> Iterator[Finding]:
    """T301."""
    for step in reading.steps.values():
        arguments = step.node.args
        required = [
            a.arg for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is None
        ]
        if not 1 <= len(step.arguments) <= 2 or required:
            written = f"def {step.name}({ast.unparse(arguments)})"
            message = f"Step {step.name} has the signature `{written}`, with which it cannot be called."
            fix = f"Write `def {step.name}(self)`, or `def {step.name}(self, inputs)` for a join."
            yield at_step(step, message, fix)
        elif kind := _not_run(step):
            message = f"Step {step.name} {kind}: calling it would not run its body."
            yield at_step(step, message, "Write it as a plain `def`, and call such functions from it.")


def _not_run(step: StepSource) -> str | None:
    code = getattr(inspect.unwrap(step.function), "__code__", None)
    flags = code.co_flags if code else 0
    return next((kind for flag, kind in _NOT_RUN.items() if flags & flag), None)


def missing_next(reading: FlowReading) -> Iterator[Finding]:
    """T303; without an end step it cannot be told which step lacks its ``self.next``, and G204 names them."""
    for step in reading.steps.values():
        if reading.end is None or step.calls or reading.is_end(step.name) or _not_run(step):
            continue
        last = step.node.body[-1]
        message = f"Step {step.name} ends at line {last.lineno} without self.next(), and is not the end step."
        fix = (
            f"Say what follows as its last statement, such as self.next(self.{_likely_next(reading, step)})."
        )
        yield at_node(step, last, message, fix)


def _likely_next(reading: FlowReading, step: StepSource) -> str:
    names = list(reading.steps)
    after = names[names.index(step.name) + 1 :]
    uncalled = [name for name in after if not reading.callers(name)]
    return (uncalled or after or [reading.end or "end"])[0]


def misplaced_next(reading: FlowReading) -> Iterator[Finding]:
    """T304."""
    for step in reading.steps.values():
        if reading.is_end(step.name) or not step.competing:
            continue
        lines = listed(str(call.line) for call in step.calls)
        places = listed(dict.fromkeys(_place(call) for call in step.competing), "or")
        plural = (
            f"calls self.next() at lines {lines}"
            if len(step.calls) > 1
            else f"calls self.next() at line {lines}"
        )
        message = (
            f"Step {step.name} {plural}: {places}. Only one call, the last statement of the step, is read."
        )
        yield at_node(step, step.competing[0].node, message, _misplaced_fix(step))


def _place(call: WrittenCall) -> str:
    if call.place in _COMPOUND:
        return f"inside {_COMPOUND[call.place]}"
    return {
        "earlier": "before the last statement",
        "last": "as the last statement",
        "returned": "as the value of a `return`",
    }.get(call.place, "inside another expression")


def _misplaced_fix(step: StepSource) -> str:
    if any(call.place in ("if", "match") for call in step.calls) and len(step.calls) > 1:
        targets = list(dict.fromkeys(name for call in step.calls for name, _ in call.named))
        cases = ", ".join(f'"{name}": self.{name}' for name in targets)
        return f'Use a switch: set self.choice, then end with self.next({{{cases}}}, condition="choice").'
    return "Make one self.next() a statement of its own, the last one of the step."


def no_legal_form(reading: FlowReading) -> Iterator[Finding]:
    """T305."""
    for step, call in reading.tails():
        if fault := illegal_part(call):
            node, what = fault
            yield at_node(step, node, f"Step {step.name}: {what}", f"Write one of {FORMS}.")


def illegal_part(call: WrittenCall) -> tuple[ast.expr, str] | None:
    """The first part of a call that fits none of the five forms, and why; other rules tell the rest."""
    return _illegal_keyword(call) or _illegal_combination(call) or _illegal_target(call)


def _illegal_keyword(call: WrittenCall) -> tuple[ast.expr, str] | None:
    for name, value in call.keywords.items():
        if name is None:
            return value, "self.next() is given `**` arguments, which cannot be read from the source."
        if name not in KEYWORDS:
            return value, f"self.next() takes no argument {name}.{suggestion(name, KEYWORDS)}"
    return None


def _illegal_combination(call: WrittenCall) -> tuple[ast.expr, str] | None:
    given = call.keywords
    if "condition" in given:
        for other in ("foreach", "num_parallel", *_OF_FOREACH):
            if other in given:
                return given[other], f"condition and {other} exclude each other."
        if call.cases is None:
            return call.node, "condition needs exactly one argument, a dict literal of cases."
    if call.cases is not None and (wide := {"foreach", "num_parallel", *_OF_FOREACH} & given.keys()):
        return given[min(wide)], f"a dict of cases goes with condition, not with {min(wide)}."
    if "foreach" in given and "num_parallel" in given:
        return given["num_parallel"], "foreach and num_parallel exclude each other."
    for name in _OF_FOREACH:
        if name in given and "foreach" not in given:
            return given[name], f"{name} goes with foreach only."
    return _illegal_option(call)


def _illegal_option(call: WrittenCall) -> tuple[ast.expr, str] | None:
    if (ratio := call.keywords.get("min_success_ratio")) and ratio_of(ratio) is None:
        return ratio, f"min_success_ratio must be a number from 0 to 1, not `{call.file.segment(ratio)}`."
    flag = call.keywords.get("allow_empty")
    if flag is None or (isinstance(flag, ast.Constant) and isinstance(flag.value, bool)):
        return None
    return flag, f"allow_empty must be True or False, not `{call.file.segment(flag)}`."


def _illegal_target(call: WrittenCall) -> tuple[ast.expr, str] | None:
    if call.cases is None and not call.node.args:
        return call.node, "self.next() names no step."
    values = call.node.args if call.cases is None else [case.value for case in call.cases if case.key]
    named = {id(node): name for name, node in call.named}
    seen: set[str] = set()
    for value in values:
        name = named.get(id(value))
        if name is None:
            return value, f"`{call.file.segment(value)}` is not of the form self.<step>."
        if name in seen and call.cases is None and not call.keywords:
            return value, f"self.{name} is named twice; each branch of a split is a step of its own."
        seen.add(name)
    return None


def unknown_target(reading: FlowReading) -> Iterator[Finding]:
    """T306."""
    for step in reading.steps.values():
        if reading.is_end(step.name) and not reading.is_only_step:
            continue
        told: set[str] = set()
        for call in step.calls:
            for name, node in call.named:
                if name not in reading.steps and name not in told:
                    told.add(name)
                    yield _unknown(reading, step, name, node)


def _unknown(reading: FlowReading, step: StepSource, name: str, node: ast.expr) -> Finding:
    flow = reading.flow_class
    message = f"Step {step.name} goes to self.{name}, which is not a step of {flow.__name__}"
    if callable(getattr(flow, name, None)) and name not in reading.library_members:
        return at_node(
            step, node, f"{message}: the method exists but lacks @step.", f"Put @step above `def {name}`."
        )
    close = close_matches(name, reading.steps)
    fix = (
        f"Write self.{close[0]}."
        if close
        else f"Define a step {name}, or name one of {listed(reading.steps, 'or')}."
    )
    return at_node(step, node, f"{message}.{suggestion(name, reading.steps)}", fix)


RULES = (
    Rule("T301", "E", "step takes something else than self, or self and inputs", signature),
    Rule("T303", "E", "step without self.next that is not the end", missing_next),
    Rule("T304", "E", "self.next is not the one last statement of its step", misplaced_next),
    Rule("T305", "E", "self.next has no legal form", no_legal_form),
    Rule("T306", "E", "transition to something that is not a step", unknown_target),
)
