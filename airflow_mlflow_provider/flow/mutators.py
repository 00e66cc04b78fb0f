"""What mutators may change, and when.

:func:`apply_mutators` is the time line of a flow before it runs::

    configs have values
    pre_mutate      of flow mutators, then of step mutators; what they add runs too
    --with          adds its decorators to the steps that lack them
    mutate          of flow mutators, then of step mutators
    lint, then run or deploy
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_mlflow_provider.flow.effective import EffectiveFlow, effective_flow, keep, read_authored
from airflow_mlflow_provider.flow.user_decorator_base import UserDecorator


class ContentType(enum.Enum):
    """What a file of the code package is."""

    USER_CONTENT = "user"
    CODE_CONTENT = "code"
    MODULE_CONTENT = "module"
    OTHER_CONTENT = "other"


def apply_mutators(
    flow_class: type, configs: Mapping[str, Any], decospecs: Sequence[str] = ()
) -> EffectiveFlow:
    """Run the time line of a flow up to the linter, and keep its effective decorators and parameters.

    Starts from what is written each time, so it may be called again with other configs. Tasks call it, too: with the configs and
    ``decospecs`` of their run, the outcome is the same everywhere.

    Args:
        flow_class: The flow.
        configs: Values of its configs by name, as ``resolve_configs`` or ``bind_configs`` gave them.
        decospecs: The decorators that ``--with`` adds.

    Returns:
        The flow as it is now; :mod:`.effective` answers for it.

    Raises:
        MetaflowException: A mutator, a decorator that it adds, or an expression over configs is wrong.
    """
    effective = read_authored(flow_class, configs)
    _run_all(effective, before_with=True)
    if decospecs:
        from airflow_mlflow_provider.flow.attaching import attach

        attach(effective, decospecs)
    _run_all(effective, before_with=False)
    keep(effective)
    return effective


def package_contributions(flow_class: type) -> Iterator[tuple[Any, str, ContentType]]:
    """What decorators and mutators add to the code package.

    Yields:
        A path or the bytes of a file, its name in the package, and what it is.
    """
    from airflow_mlflow_provider.flow.decorators.code_sources import PackageSourcesDecorator

    effective = effective_flow(flow_class) or read_authored(flow_class, {})
    for decorator in effective.decorators:
        if isinstance(decorator, PackageSourcesDecorator):
            yield from ((path, name, ContentType.USER_CONTENT) for path, name in decorator.files(flow_class))
    for user in _user_decorators(effective):
        for given in user.add_to_package():
            yield given if len(given) == 3 else (*given, ContentType.CODE_CONTENT)


def decorator_modules(flow_class: type) -> set[str]:
    """Names of the modules in which the flow's user decorators and mutators are written."""
    effective = effective_flow(flow_class) or read_authored(flow_class, {})
    return {type(user).__module__ for user in _user_decorators(effective)}


def _user_decorators(effective: EffectiveFlow) -> list[UserDecorator]:
    users: list[UserDecorator] = list(effective.mutators)
    for step in effective.steps.values():
        users += [*step.mutators, *(decorator.ready(effective.configs) for decorator in step.user_decorators)]
    return users


def _run_all(effective: EffectiveFlow, *, before_with: bool) -> None:
    if not effective.mutators and not any(step.mutators for step in effective.steps.values()):
        return
    from airflow_mlflow_provider.flow.mutable import MutableFlow, MutableStep

    done: list[UserDecorator] = []
    # A mutator that one of them adds is run as well, so the lists are looked at again until nothing is new.
    while True:
        waiting = [mutator for mutator in effective.mutators if mutator not in done]
        if not waiting:
            break
        flow_mutator = waiting[0]
        done.append(flow_mutator)
        mutable = MutableFlow(effective, flow_mutator, before_with=before_with)
        (flow_mutator.pre_mutate if before_with else flow_mutator.mutate)(mutable)
    while True:
        next_up = [(s, m) for s in effective.steps.values() for m in s.mutators if m not in done]
        if not next_up:
            break
        step, step_mutator = next_up[0]
        done.append(step_mutator)
        mutable_step = MutableStep(effective, step, step_mutator, before_with=before_with)
        (step_mutator.pre_mutate if before_with else step_mutator.mutate)(mutable_step)
