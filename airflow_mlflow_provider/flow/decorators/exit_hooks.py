"""``@exit_hook``: functions that run when a run has ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, overload

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.decorators.attributes import Fields, anything, mapping
from airflow_mlflow_provider.flow.decorators.base import (
    FlowClass,
    FlowDecorator,
    Problem,
    decorate_flow,
)
from airflow_mlflow_provider.flow.dotted_name import resolve_dotted_name
from airflow_mlflow_provider.flow.graph import FlowGraph

Hook = Callable[..., Any]
_HOOKS = "a list of functions or of their names"


class NamedHook(NamedTuple):
    """A hook by name, as a manifest keeps it.

    Attributes:
        name: Dotted name, or the plain name of a function in the flow's module.
        on: Which outcome it waits for.
    """

    name: str
    on: Literal["success", "error"]


class ExitHookDecorator(FlowDecorator):
    """Run functions when a run has ended; see :func:`exit_hook`."""

    name = "exit_hook"
    allow_multiple = True
    fields: ClassVar[Fields] = {
        "on_success": anything([], _HOOKS),
        "on_error": anything([], _HOOKS),
        "options": mapping({}),
    }

    def check(self) -> Iterator[Problem]:
        """Refuse no hooks at all, and what is no hook."""
        for attribute in ("on_success", "on_error"):
            written = self.attributes[attribute]
            hooks = list(written) if isinstance(written, (list, tuple)) else [written] if written else []
            for hook in hooks:
                if not _is_hook(hook):
                    yield self.bad_value(attribute, hook, _HOOKS)
            self.attributes[attribute] = [hook for hook in hooks if _is_hook(hook)]
        if not self.given.get("on_success") and not self.given.get("on_error"):
            yield Problem(
                "D005",
                "@exit_hook has no hooks: 'on_success' and 'on_error' are both empty.",
                "Give at least one function, such as @exit_hook(on_error=[notify]).",
            )

    def check_flow(self, graph: FlowGraph) -> Iterator[Problem]:
        """Warn of names that cannot be resolved."""
        yield from self._unresolved("W")

    def deployment_problems(self) -> Iterator[Problem]:
        """Names that cannot be resolved, which a deployment does not forgive (X009)."""
        yield from self._unresolved("E")

    def _unresolved(self, severity: str) -> Iterator[Problem]:
        for named in self.named():
            try:
                self.resolve(named)
            except MetaflowException as error:
                yield Problem(
                    "X009",
                    f"@exit_hook: the hook '{named.name}' cannot be resolved: {error.message}",
                    "Name a function of the flow's module, or the dotted path of one that can be imported.",
                    severity,
                )

    def named(self) -> tuple[NamedHook, ...]:
        """The hooks by name, in the order in which they run."""
        sides: tuple[tuple[Literal["success", "error"], str], ...] = (
            ("success", "on_success"),
            ("error", "on_error"),
        )
        return tuple(NamedHook(hook_name(hook), on) for on, side in sides for hook in self.attributes[side])

    def resolve(self, named: NamedHook) -> Hook:
        """The function of a hook.

        Raises:
            MetaflowException: There is none of this name.
        """
        for side in ("on_success", "on_error"):
            for hook in self.attributes[side]:
                if callable(hook) and hook_name(hook) == named.name:
                    function: Hook = hook
                    return function
        return resolve_hook(named.name, self.flow_class)


def _is_hook(value: Any) -> bool:
    return callable(value) or isinstance(value, str)


def hook_name(hook: Hook | str) -> str:
    """The name by which a hook is found again: dotted, or plain for a function of the program itself."""
    if isinstance(hook, str):
        return hook
    module = getattr(hook, "__module__", "") or ""
    name = str(getattr(hook, "__qualname__", repr(hook)))
    return name if module in ("", "__main__") else f"{module}.{name}"


def resolve_hook(name: str, flow_class: type | None) -> Hook:
    """The function that a hook's name stands for.

    Args:
        name: Dotted name, or the plain name of a function in the flow's module.
        flow_class: The flow.

    Raises:
        MetaflowException: There is none of this name.
    """
    module = sys.modules.get(flow_class.__module__) if flow_class is not None else None
    found = getattr(module, name, None) if "." not in name else None
    if found is None and "." in name:
        own = f"{flow_class.__module__}." if flow_class is not None else ""
        if module is not None and own and name.startswith(own):
            found = getattr(module, name[len(own) :], None)
        found = found or resolve_dotted_name(name)
    if not callable(found):
        raise MetaflowException(
            f"The flow's module has no function '{name}'." if found is None else f"'{name}' is no function.",
            fix="Define the hook at the top level of the flow's module, or give its dotted name.",
            where={"hook": name},
        )
    hook: Hook = found
    return hook


def accepts_run(hook: Hook) -> bool:
    """Whether a hook takes the run, as its parameter ``run`` or any keyword."""
    import inspect

    try:
        parameters = inspect.signature(hook).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "run" or p.kind is p.VAR_KEYWORD for p in parameters)


@overload
def exit_hook(flow: FlowClass, /) -> FlowClass: ...
@overload
def exit_hook(
    *,
    on_success: Sequence[Hook | str] = (),
    on_error: Sequence[Hook | str] = (),
    options: Mapping[str, Any] = ...,
) -> Callable[[FlowClass], FlowClass]: ...
def exit_hook(flow: Any = None, /, **attributes: Any) -> Any:
    """Flow decorator: run functions when a run has ended. May stand several times.

    A hook may have a parameter ``run``: the run as a client object. It cannot change the run's outcome.

    Args:
        flow: The flow.
        on_success: Functions, or their names, for runs that succeed.
        on_error: Functions, or their names, for runs that fail.
        options: Kept for compatibility.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    return decorate_flow(ExitHookDecorator, flow, attributes)
