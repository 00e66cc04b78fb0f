"""``@trigger`` and ``@trigger_on_finish``: events and other flows that start a run of a deployed flow.

Both name Airflow assets in the end; what the author wrote may be a function of the moment of deployment, so names are
resolved then, and what is wrong with them is rule X008.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, NoReturn, overload

import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.decorators.attributes import Fields, anything, mapping
from airflow_mlflow_provider.flow.decorators.base import FlowClass, FlowDecorator, Problem, decorate_flow
from airflow_mlflow_provider.flow.decorators.projects import ProjectBranch
from airflow_mlflow_provider.flow.parameters import ParameterContext

_EVENT_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_FLOW_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROJECT_PART = re.compile(r"[a-z0-9_]+")
_BRANCH = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")


class TriggerEvent(msgspec.Struct, frozen=True):
    """An event that starts a run.

    Attributes:
        name: Name of the event, and of its asset.
        parameters: The payload field that sets a parameter, by name of the parameter.
    """

    name: str
    parameters: dict[str, str] = {}


class DeploymentNames(NamedTuple):
    """What names in triggers are resolved against.

    Attributes:
        context: What functions are called with.
        parameters: Names of the flow's parameters.
        configs: Names of its configs.
        project: The project and branch of the deployment, if any.
    """

    context: ParameterContext
    parameters: Sequence[str] = ()
    configs: Sequence[str] = ()
    project: ProjectBranch | None = None


class NamespacedEventName:
    """An event name that belongs to a project and branch, known when the flow is deployed or runs.

    Args:
        name: The name as written.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def resolve(self, project: ProjectBranch | None) -> str:
        """The full name: ``mfns.<project>.<branch>.<name>``, or ``mfns.<name>`` without a project."""
        parts = [get("event_prefix"), *(() if project is None else (project.name, project.branch)), self.name]
        return ".".join(parts)

    def __repr__(self) -> str:
        return f"namespaced_event_name({self.name!r})"


def namespaced_event_name(name: str) -> NamespacedEventName:
    """An event name for ``@trigger`` and ``ArgoEvent`` that differs by project and branch.

    Args:
        name: Letters, digits, ``_``, ``.`` and ``-``.
    """
    return NamespacedEventName(name)


class _TriggerDecorator(FlowDecorator):
    one: ClassVar[str]
    many: ClassVar[str]

    def check(self) -> Iterator[Problem]:
        """Refuse none or both of the two attributes; warn of options, of which there are none."""
        one, many = self.attributes[self.one], self.attributes[self.many]
        if (one is None) == (not callable(many) and not many):
            yield Problem(
                "D005",
                f"@{self.name} needs exactly one of '{self.one}' and '{self.many}', and has "
                f"{'neither' if one is None else 'both'}.",
                f"Give '{self.one}' for one, or '{self.many}' for several that must all come.",
            )
        for option in self.attributes["options"]:
            yield Problem("D002", f"@{self.name} has no option '{option}'.", f"Remove '{option}'.", "W")

    def resolve(self, names: DeploymentNames) -> tuple[Any, ...]:
        """What starts a run, by name."""
        raise NotImplementedError

    def deployment_problems(self, names: DeploymentNames) -> Iterator[Problem]:
        """What is wrong with the names once they are resolved (X008)."""
        if any(problem.severity == "E" for problem in self._problems):
            return
        try:
            self.resolve(names)
        except MetaflowException as error:
            yield Problem("X008", error.message.removeprefix("X008: "), error.fix)

    def _written(self, context: ParameterContext) -> list[Any]:
        one, many = self.attributes[self.one], self.attributes[self.many]
        if one is not None:
            return [self._called(one, context)]
        many = self._called(many, context)
        if not isinstance(many, (list, tuple)):
            self._refuse(many, f"'{self.many}' is a {type(many).__name__}; it takes a list")
        return [self._called(element, context) for element in many]

    def _called(self, value: Any, context: ParameterContext) -> Any:
        if not callable(value) or isinstance(value, NamespacedEventName):
            return value
        try:
            return value(context)
        except Exception as error:
            raise MetaflowException(
                f"@{self.name}: the function {getattr(value, '__name__', value)!s} raised "
                f"{type(error).__name__}: {error}",
                self.location.line,
                self.location.file,
                fix="Correct the function.",
                where={"decorator": self.name},
            ) from error

    def _refuse(self, what: Any, reason: str, **where: Any) -> NoReturn:
        raise MetaflowException(
            f"X008: @{self.name}({what!r}): {reason}.",
            self.location.line,
            self.location.file,
            fix=f"Correct @{self.name}.",
            where={"decorator": self.name, **where},
        )


class TriggerDecorator(_TriggerDecorator):
    """Start a run when events come; see :func:`trigger`."""

    name = "trigger"
    one = "event"
    many = "events"
    fields: ClassVar[Fields] = {
        "event": anything(None, "a name, a dict, or a function"),
        "events": anything([], "a list of names, dicts or functions"),
        "options": mapping({}),
    }

    def resolve(self, names: DeploymentNames) -> tuple[TriggerEvent, ...]:
        """The events, all of which must come.

        Raises:
            MetaflowException: A name or a map of parameters is wrong (X008); names event, parameter and rule.
        """
        self.raise_problem()
        written = self._written(names.context)
        events = tuple(self._event(one, names, single=len(written) == 1) for one in written)
        for index, event in enumerate(events):
            if any(event.name == earlier.name for earlier in events[:index]):
                self._refuse(event.name, "the event is named twice", event=event.name)
        return events

    def _event(self, written: Any, names: DeploymentNames, *, single: bool) -> TriggerEvent:
        fields = dict(written) if isinstance(written, Mapping) else {"name": written}
        if set(fields) - {"name", "parameters"} or "name" not in fields:
            self._refuse(written, "an event takes 'name' and 'parameters'")
        name = self._called(fields["name"], names.context)
        if isinstance(name, NamespacedEventName):
            name = name.resolve(names.project)
        if not isinstance(name, str) or not _EVENT_NAME.fullmatch(name):
            self._refuse(name, "a name takes letters, digits, `_`, `.` and `-`", event=name)
        given = self._called(fields.get("parameters"), names.context)
        if given is None:
            # The fields of a single event need no map; with several it would be chance which one sets a parameter.
            return TriggerEvent(
                name, {parameter: parameter for parameter in names.parameters} if single else {}
            )
        return TriggerEvent(name, self._map(name, given, names))

    def _map(self, event: str, given: Any, names: DeploymentNames) -> dict[str, str]:
        parameters = {parameter.lower(): parameter for parameter in names.parameters}
        found: dict[str, str] = {}
        for parameter, field in self._pairs(event, given):
            where = {"event": event, "parameter": parameter}
            if parameter.lower() in (config.lower() for config in names.configs):
                self._refuse(event, f"'{parameter}' is a config, which is fixed when deployed", **where)
            if parameter.lower() not in parameters:
                known = ", ".join(names.parameters) or "none"
                self._refuse(event, f"the flow has no parameter '{parameter}'; it has {known}", **where)
            name = parameters[parameter.lower()]
            if name in found:
                self._refuse(event, f"the parameter '{name}' is set twice", **where)
            found[name] = field
        return found

    def _pairs(self, event: str, given: Any) -> list[tuple[str, str]]:
        elements = list(given.items()) if isinstance(given, Mapping) else given
        if not isinstance(elements, (list, tuple)):
            self._refuse(
                event, f"'parameters' is a {type(given).__name__}; it takes a dict or a list", event=event
            )
        pairs = []
        for element in elements:
            pair = (element, element) if isinstance(element, str) else element
            well_formed = isinstance(pair, (list, tuple)) and len(pair) == 2
            if not well_formed or not all(isinstance(part, str) and part for part in pair):
                self._refuse(
                    event, f"{element!r} is neither a name nor a pair of parameter and field", event=event
                )
            pairs.append((pair[0], pair[1]))
        return pairs


class TriggerOnFinishDecorator(_TriggerDecorator):
    """Start a run when runs of other flows have succeeded; see :func:`trigger_on_finish`."""

    name = "trigger_on_finish"
    one = "flow"
    many = "flows"
    fields: ClassVar[Fields] = {
        "flow": anything(None, "a name, a dict, or a function"),
        "flows": anything([], "a list of names, dicts or functions"),
        "options": mapping({}),
    }

    def resolve(self, names: DeploymentNames) -> tuple[str, ...]:
        """The full names of the flows, all of which must finish: ``Flow`` or ``project.branch.Flow``.

        Raises:
            MetaflowException: A name is wrong (X008); names the flow and the rule.
        """
        self.raise_problem()
        flows = tuple(self._flow(one, names.project) for one in self._written(names.context))
        for index, flow in enumerate(flows):
            if flow in flows[:index]:
                self._refuse(flow, "the flow is named twice", flow=flow)
        return flows

    def _flow(self, written: Any, project: ProjectBranch | None) -> str:
        name, project_name, branch = self._parts(written)
        if (project_name is None) != (branch is None):
            missing = "project" if project_name is None else "project_branch"
            self._refuse(written, f"'{missing}' is missing beside the other of the two", flow=name)
        if not isinstance(name, str) or not _FLOW_NAME.fullmatch(name):
            self._refuse(written, f"{name!r} is not the name of a flow", flow=name)
        if project_name is None or branch is None:
            return name if project is None else f"{project.name}.{project.branch}.{name}"
        for value, pattern, what in ((project_name, _PROJECT_PART, "project"), (branch, _BRANCH, "branch")):
            if not isinstance(value, str) or not pattern.fullmatch(value):
                self._refuse(written, f"{value!r} is not the name of a {what}", flow=name)
        return f"{project_name}.{branch}.{name}"

    def _parts(self, written: Any) -> tuple[Any, Any, Any]:
        if isinstance(written, Mapping):
            if set(written) - {"name", "project", "project_branch"} or "name" not in written:
                self._refuse(written, "a flow takes 'name', 'project' and 'project_branch'")
            return written["name"], written.get("project"), written.get("project_branch")
        if not isinstance(written, str):
            self._refuse(written, f"a flow is named by text or a dict, not by a {type(written).__name__}")
        parts = written.split(".")
        if len(parts) == 2:
            self._refuse(written, "a project without a branch; write project.branch.Flow", flow=parts[-1])
        if len(parts) == 1:
            return written, None, None
        return parts[-1], parts[0], ".".join(parts[1:-1])


@overload
def trigger(flow: FlowClass, /) -> FlowClass: ...
@overload
def trigger(
    *, event: Any = None, events: Any = ..., options: Mapping[str, Any] = ...
) -> Callable[[FlowClass], FlowClass]: ...
def trigger(flow: Any = None, /, **attributes: Any) -> Any:
    """Flow decorator: start a run of the deployed flow when an event, or all of several, have come.

    Args:
        flow: The flow.
        event: A name, a dict of ``name`` and ``parameters`` (fields of the payload by parameter of the flow), or a
            function of a ``ParameterContext`` that gives one.
        events: A list of them, all of which must come; instead of ``event``.
        options: Kept for compatibility; there are none.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    return decorate_flow(TriggerDecorator, flow, attributes)


@overload
def trigger_on_finish(flow_class: FlowClass, /) -> FlowClass: ...
@overload
def trigger_on_finish(
    *, flow: Any = None, flows: Any = ..., options: Mapping[str, Any] = ...
) -> Callable[[FlowClass], FlowClass]: ...
def trigger_on_finish(flow_class: Any = None, /, **attributes: Any) -> Any:
    """Flow decorator: start a run of the deployed flow when a run of another, or of all of several, has succeeded.

    Args:
        flow_class: The flow.
        flow: ``"Flow"``, ``"project.branch.Flow"``, a dict of ``name``, ``project`` and ``project_branch``, or a
            function of a ``ParameterContext`` that gives one.
        flows: A list of them, all of which must succeed; instead of ``flow``.
        options: Kept for compatibility; there are none.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    return decorate_flow(TriggerOnFinishDecorator, flow_class, attributes)
