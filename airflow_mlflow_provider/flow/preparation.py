"""Making a flow ready to be linted, run or deployed: its configs get values and its mutators run.

Most flows have neither, and then nothing is imported and nothing done. Tasks prepare their flow again, with the values that
were frozen when the run or deployment was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.decorators.base import FlowDecorator, StepDecorator
    from airflow_mlflow_provider.flow.parameters import ParameterContext
    from airflow_mlflow_provider.flow.user_decorators import UserStepDecorator

_EFFECTIVE = "_effective"


def prepare(
    flow_class: type,
    files: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
    decospecs: Sequence[str] = (),
    context: ParameterContext | None = None,
    kept: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read the configs of a flow, run its mutators and add the decorators of ``--with``.

    Args:
        flow_class: The flow.
        files: Paths by config name, from ``--config``.
        values: Values by config name, from ``--config-value``.
        decospecs: Specifications of decorators, from ``--with`` and the configuration.
        context: What functions given as defaults of configs are called with.
        kept: Values by config name as an earlier run had them, for configs that neither ``files`` nor ``values`` name.

    Returns:
        The values of the configs by name, as plain JSON values.

    Raises:
        CommandException: Configs are given wrongly, missing or cannot be read; names all of them.
        MetaflowException: A mutator, a decorator or an expression over configs is wrong.
    """
    if is_plain(flow_class) and not (files or values or decospecs):
        return {}
    from airflow_mlflow_provider.flow.config import resolve_configs
    from airflow_mlflow_provider.flow.config_value import thawed
    from airflow_mlflow_provider.flow.mutators import apply_mutators

    configs = resolve_configs(flow_class, files, values, context, kept)
    apply_mutators(flow_class, configs, decospecs)
    return {name: thawed(value) for name, value in configs.items()}


def prepare_again(flow_class: type, configs: Mapping[str, Any], decospecs: Sequence[str] = ()) -> None:
    """Prepare a flow as it was when its run or deployment was made; reads no files.

    Args:
        flow_class: The flow.
        configs: The values of its configs, as :func:`prepare` gave them.
        decospecs: The specifications of decorators that were added.

    Raises:
        MetaflowException: The flow's code does not fit its configs any more.
    """
    if is_plain(flow_class) and not (configs or decospecs):
        return
    from airflow_mlflow_provider.flow.config import bind_configs
    from airflow_mlflow_provider.flow.mutators import apply_mutators

    apply_mutators(flow_class, bind_configs(flow_class, configs), decospecs)


def config_members(flow_class: type, configs: Mapping[str, Any]) -> dict[str, Any]:
    """The values of configs as steps see them, by the attribute that holds them.

    Args:
        flow_class: The flow.
        configs: The values of its configs by name, as :func:`prepare` gave them.
    """
    if not configs:
        return {}
    from airflow_mlflow_provider.flow.config import bind_configs, declaration_of, flow_configs

    bound = bind_configs(flow_class, configs)
    declared = [declaration_of(config) for config in flow_configs(flow_class)]
    return {each.attribute: bound[each.name] for each in declared if each.name in bound}


def config_attributes(flow_class: type) -> dict[str, str]:
    """The attribute that holds a config, by the config's name, where the two differ."""
    from airflow_mlflow_provider.flow.config import declaration_of, flow_configs

    declared = [declaration_of(config) for config in flow_configs(flow_class)]
    return {each.name: each.attribute for each in declared if each.attribute not in ("", each.name)}


def is_prepared(flow_class: type) -> bool:
    """Whether mutators have run in this process."""
    return _EFFECTIVE in vars(flow_class)


def is_plain(flow_class: type) -> bool:
    """Whether a flow has no configs, no mutators, and nothing that waits for a config.

    A flow that was prepared before is not plain: what was kept then has to be replaced.
    """
    if _EFFECTIVE in vars(flow_class):
        return False
    return all(_is_plain_class(cls) for cls in flow_class.__mro__)


def step_decorators(flow_class: type, step: str) -> list[StepDecorator]:
    """The built-in decorators of a step, in source order, as mutators have left them."""
    return list(_above(flow_class, step, "decorators"))


def user_step_decorators(flow_class: type, step: str) -> list[UserStepDecorator]:
    """The step decorators of the user's own, outermost first, ready for one attempt.

    Raises:
        MetaflowException: Their arguments do not fit.
    """
    return [decorator.ready({}) for decorator in _above(flow_class, step, "user_decorators")]


def flow_decorators(flow_class: type) -> list[FlowDecorator]:
    """The decorators of a flow, those of base classes first, as mutators have left them."""
    effective = vars(flow_class).get(_EFFECTIVE)
    if effective is not None:
        return list(effective.decorators)
    return [
        decorator
        for cls in reversed(flow_class.__mro__)
        for decorator in vars(cls).get("_flow_decorators", ())
    ]


def _above(flow_class: type, step: str, what: str) -> Sequence[Any]:
    effective = vars(flow_class).get(_EFFECTIVE)
    if effective is not None:
        found: Sequence[Any] = getattr(effective.steps[step], what)
        return found
    written: Sequence[Any] = vars(getattr(flow_class, step)).get(what, ())
    return written


def _is_plain_class(cls: type) -> bool:
    if vars(cls).get("_flow_mutators"):
        return False
    waiting = [decorator for decorator in vars(cls).get("_flow_decorators", ()) if _waits(decorator.given)]
    return not waiting and all(_is_plain_member(member) for member in vars(cls).values())


def _is_plain_member(member: Any) -> bool:
    # Looked for on the type: every attribute of a config itself is a key of it.
    kind = getattr(type(member), "IS_CONFIG", None)
    if kind is not None:
        return not kind and not member.needs_configs()
    marks = getattr(member, "__dict__", None)
    if not isinstance(marks, dict) or marks.get("is_step") is not True:
        return True
    decorators = marks.get("decorators", ())
    return not marks.get("step_mutators") and not any(_waits(decorator.given) for decorator in decorators)


def _waits(given: Mapping[str, Any]) -> bool:
    from airflow_mlflow_provider.flow.config_expression import has_expression

    return has_expression(dict(given))
