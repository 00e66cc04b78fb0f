"""What a call of ``self.next(...)`` asks for when it runs, checked argument by argument."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from airflow_mlflow_provider.exception import InvalidNextException
from airflow_mlflow_provider.flow.graph import StepNode, TransitionKind

KEYWORDS = ("foreach", "num_parallel", "condition", "allow_empty", "min_success_ratio")
FORMS = (
    "self.next(self.a), self.next(self.a, self.b), self.next(self.a, foreach='items'), "
    "self.next(self.a, num_parallel=4) or self.next({'yes': self.a, 'no': self.b}, condition='answer')"
)


class NextCall(msgspec.Struct, frozen=True):
    """One executed ``self.next``.

    Attributes:
        kind: Form of the call.
        targets: Names of the steps named, in order; for a switch those of all cases, without repetition.
        foreach: Name of the artifact to split.
        num_parallel: Size of the gang.
        condition: Name of the artifact that chooses.
        cases: Target by case value.
        allow_empty: Whether an empty foreach skips its body.
        line: Line of the call.
        file: File of the call.
    """

    kind: TransitionKind
    targets: tuple[str, ...]
    foreach: str | None = None
    num_parallel: int | None = None
    condition: str | None = None
    cases: dict[Any, str] = {}
    allow_empty: bool = False
    line: int = 0
    file: str = ""


class _Call:
    """The place of a call, and errors that name it."""

    def __init__(self, flow: str, step: str, file: str, line: int) -> None:
        self.flow, self.step, self.file, self.line = flow, step, file, line

    def error(self, message: str, fix: str) -> InvalidNextException:
        return InvalidNextException(
            f"Step {self.step} of {self.flow} ({self.file}:{self.line}): {message}",
            self.line,
            self.file,
            fix=fix,
            where={"flow": self.flow, "step": self.step},
        )


def read_call(
    flow: object,
    step: str,
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    place: tuple[str, int],
) -> NextCall:
    """Check the arguments of a ``self.next`` and say what they mean.

    Args:
        flow: The flow's instance.
        step: Name of the running step.
        arguments: Positional arguments of the call.
        keywords: Keyword arguments of the call.
        place: File and line of the call.

    Raises:
        InvalidNextException: The call has no legal form.
    """
    file, line = place
    call = _Call(type(flow).__name__, step, file, line)
    for name in keywords:
        if name not in KEYWORDS:
            raise call.error(
                f"self.next() got the unknown keyword '{name}'; it takes {', '.join(KEYWORDS)}.",
                f"Use one of: {', '.join(KEYWORDS)}.",
            )
    kinds = [k for k in ("foreach", "num_parallel", "condition") if keywords.get(k) is not None]
    if len(kinds) > 1:
        raise call.error(
            f"self.next() combines {' and '.join(kinds)}; its forms are {FORMS}.",
            f"Use one of the five forms: {FORMS}.",
        )
    if "condition" in kinds or any(isinstance(argument, dict) for argument in arguments):
        return _switch(call, flow, arguments, keywords)
    if not arguments:
        raise call.error("self.next() names no step.", f"Use one of the five forms: {FORMS}.")
    targets = tuple(_target(call, flow, i, a) for i, a in enumerate(arguments, 1))
    if not kinds:
        return NextCall(
            kind="static" if len(targets) > 1 else "linear", targets=targets, line=line, file=file
        )
    if len(targets) != 1:
        raise call.error(
            f"self.next(..., {kinds[0]}=...) names {len(targets)} steps.", "Name exactly one step with it."
        )
    if kinds[0] == "foreach":
        return _foreach(call, targets, keywords)
    return _parallel(call, targets, keywords["num_parallel"])


def choose(call: NextCall, value: Any) -> str | None:
    """The target of a switch for the value of its condition, or ``None`` if no case matches.

    ``1``, ``True`` and ``1.0`` are equal in Python, and so are they here; a case of the very type of the value
    comes first.
    """
    exact = (t for k, t in call.cases.items() if type(k) is type(value) and k == value)
    equal = (t for k, t in call.cases.items() if k == value)
    return next(exact, None) or next(equal, None)


def _foreach(call: _Call, targets: tuple[str, ...], keywords: Mapping[str, Any]) -> NextCall:
    name = keywords["foreach"]
    if not isinstance(name, str):
        raise call.error(
            f"foreach={name!r} is a {type(name).__name__}.",
            "Give the name of the attribute to split, as a string: foreach='items'.",
        )
    return NextCall(
        kind="foreach",
        targets=targets,
        foreach=name,
        allow_empty=bool(keywords.get("allow_empty", False)),
        line=call.line,
        file=call.file,
    )


def _parallel(call: _Call, targets: tuple[str, ...], size: Any) -> NextCall:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise call.error(
            f"num_parallel={size!r} is not a positive whole number.", "Give an int of at least 1."
        )
    return NextCall(kind="parallel", targets=targets, num_parallel=size, line=call.line, file=call.file)


def _switch(call: _Call, flow: object, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> NextCall:
    form = "self.next({'yes': self.a, 'no': self.b}, condition='answer')"
    if len(arguments) != 1 or not isinstance(arguments[0], dict) or not arguments[0]:
        shown = ", ".join(repr(argument)[:60] for argument in arguments) or "nothing"
        raise call.error(
            f"a switch needs one non-empty dict, as in {form}, and got {shown}.", f"Write {form}."
        )
    condition = keywords.get("condition")
    if condition is None:
        raise call.error(
            f"self.next() got a dict without condition=, which goes as in {form}.", f"Write {form}."
        )
    if not isinstance(condition, str):
        raise call.error(
            f"condition={condition!r} is of the type {type(condition).__name__}, and not a name, as in {form}.",
            f"Name an attribute, as in {form}.",
        )
    cases = {key: _target(call, flow, i, t) for i, (key, t) in enumerate(arguments[0].items(), 1)}
    targets = tuple(dict.fromkeys(cases.values()))
    return NextCall(
        kind="switch", targets=targets, condition=condition, cases=cases, line=call.line, file=call.file
    )


def _target(call: _Call, flow: object, position: int, value: Any) -> str:
    name: str = getattr(value, "__name__", "")
    function = getattr(type(flow), name, None) if name else None
    is_own: Callable[..., Any] | None = getattr(value, "__func__", None)
    if function is not None and is_own is function:
        if getattr(function, "is_step", False):
            return name
        raise call.error(f"argument {position}, self.{name}, is not a step.", f"Put @step above {name}.")
    steps = [s for s in dir(type(flow)) if getattr(getattr(type(flow), s, None), "is_step", False)]
    near = difflib.get_close_matches(name or str(value), steps, n=3)
    hint = f" (close: {', '.join(near)})" if near else ""
    raise call.error(
        f"argument {position}, {repr(value)[:80]}, is not a step of this flow{hint}.",
        "Name a step as self.<step>.",
    )


def agrees(call: NextCall, node: StepNode) -> bool:
    """Whether the call that ran is the one read from source."""
    transition = node.transition
    if transition is None:
        return False
    static = (transition.kind, transition.targets, transition.foreach, transition.condition)
    return static == (call.kind, call.targets, call.foreach, call.condition)
