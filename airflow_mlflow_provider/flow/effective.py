"""A flow as it is once configs have values and mutators have run.

What the author wrote, on classes and step functions, is never changed: functions are shared by all classes that inherit
them, and a notebook may start a flow again with other configs. The effective decorators and parameters are kept on the
flow's class, and asked for with the functions of :mod:`.preparation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlflow_provider.flow.decorators.base import FlowDecorator, StepDecorator
from airflow_mlflow_provider.flow.parameters import Parameter, authored_parameters
from airflow_mlflow_provider.flow.user_decorators import FlowMutator, StepMutator, UserStepDecorator

_ATTRIBUTE = "_effective"


@dataclass
class EffectiveStep:
    """A step and what stands above it, each list in source order.

    Attributes:
        name: Name of the step.
        function: The step's function.
        decorators: Built-in decorators.
        user_decorators: Step decorators of the user's own.
        mutators: Step mutators.
    """

    name: str
    function: Any
    decorators: list[StepDecorator]
    user_decorators: list[UserStepDecorator]
    mutators: list[StepMutator]


@dataclass
class EffectiveFlow:
    """A flow's parameters, decorators and mutators.

    Attributes:
        flow_class: The flow.
        configs: Values of its configs, by name.
        parameters: Parameters by attribute.
        decorators: Flow decorators, those of base classes first.
        mutators: Flow mutators, those of base classes first.
        steps: Steps by name, those of base classes first.
    """

    flow_class: type
    configs: Mapping[str, Any] = field(default_factory=dict)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    decorators: list[FlowDecorator] = field(default_factory=list)
    mutators: list[FlowMutator] = field(default_factory=list)
    steps: dict[str, EffectiveStep] = field(default_factory=dict)


def read_authored(flow_class: type, configs: Mapping[str, Any]) -> EffectiveFlow:
    """The flow as written, with the values of configs in the place of expressions over them.

    Args:
        flow_class: The flow.
        configs: Values of its configs, by name.

    Raises:
        MetaflowException: An expression over configs cannot be evaluated.
    """
    names = with_attributes(flow_class, configs)
    return EffectiveFlow(
        flow_class=flow_class,
        configs=configs,
        parameters={
            attribute: parameter.with_configs(names)
            for attribute, parameter in authored_parameters(flow_class).items()
        },
        decorators=[
            decorator.with_configs(names) for decorator in _inherited(flow_class, "_flow_decorators")
        ],
        mutators=[mutator.ready(names) for mutator in _inherited(flow_class, "_flow_mutators")],
        steps={name: _step(name, function, names) for name, function in step_functions(flow_class).items()},
    )


def with_attributes(flow_class: type, configs: Mapping[str, Any]) -> dict[str, Any]:
    """The values of configs by name, and by the attribute that holds them where no config has that name."""
    from airflow_mlflow_provider.flow.config import declaration_of, flow_configs

    declared = [declaration_of(config) for config in flow_configs(flow_class)]
    by_attribute = {d.attribute: configs[d.name] for d in declared if d.attribute and d.name in configs}
    return {**by_attribute, **configs}


def step_functions(flow_class: type) -> dict[str, Any]:
    """The functions of a flow's steps by name, those of base classes first."""
    members: dict[str, Any] = {}
    for cls in reversed(flow_class.__mro__):
        members.update(vars(cls))
    return {name: value for name, value in members.items() if _marks(value).get("is_step") is True}


def keep(effective: EffectiveFlow) -> None:
    """Make this what is answered for the flow."""
    setattr(effective.flow_class, _ATTRIBUTE, effective)


def effective_flow(flow_class: type) -> EffectiveFlow | None:
    """What was kept for the flow; ``None`` before its mutators have run."""
    found: EffectiveFlow | None = vars(flow_class).get(_ATTRIBUTE)
    return found


def _step(name: str, function: Any, configs: Mapping[str, Any]) -> EffectiveStep:
    marks = _marks(function)
    return EffectiveStep(
        name=name,
        function=function,
        decorators=[decorator.with_configs(configs) for decorator in marks.get("decorators", ())],
        user_decorators=[decorator.resolved(configs) for decorator in marks.get("user_decorators", ())],
        mutators=[mutator.ready(configs) for mutator in marks.get("step_mutators", ())],
    )


def _inherited(flow_class: type, attribute: str) -> list[Any]:
    return [each for cls in reversed(flow_class.__mro__) for each in vars(cls).get(attribute, ())]


def _marks(value: Any) -> dict[str, Any]:
    marks = getattr(value, "__dict__", None)
    return marks if isinstance(marks, dict) and not isinstance(value, type) else {}
