"""The built-in decorators by name, and reading a decorator's specification: ``NAME:attribute=value,…``."""

from __future__ import annotations

import difflib
import importlib
import json
import re
from typing import Any

from airflow_mlflow_provider.exception import (
    CommandException,
    UnknownFlowDecoratorException,
    UnknownStepDecoratorException,
)
from airflow_mlflow_provider.flow.decorators.base import FlowDecorator, StepDecorator

_STEP = {
    "airflow_task": "airflow_tasks:AirflowTaskDecorator",
    "batch": "refused:BatchDecorator",
    "cache": "caching:CacheDecorator",
    "card": "cards:CardDecorator",
    "catch": "attempts:CatchDecorator",
    "checkpoint": "refused:CheckpointDecorator",
    "conda": "refused:CondaDecorator",
    "environment": "environment_variables:EnvironmentDecorator",
    "kubernetes": "compute:KubernetesDecorator",
    "parallel": "gangs:ParallelDecorator",
    "pypi": "packages:PypiDecorator",
    "pytorch_parallel": "gangs:PytorchParallelDecorator",
    "resources": "compute:ResourcesDecorator",
    "retry": "attempts:RetryDecorator",
    "secrets": "secret_injection:SecretsDecorator",
    "slurm": "refused:SlurmDecorator",
    "timeout": "attempts:TimeoutDecorator",
}
_FLOW = {
    "airflow_external_task_sensor": "airflow_sensors:ExternalTaskSensorDecorator",
    "airflow_s3_key_sensor": "airflow_sensors:S3KeySensorDecorator",
    "conda_base": "refused:CondaBaseDecorator",
    "exit_hook": "exit_hooks:ExitHookDecorator",
    "package_sources": "code_sources:PackageSourcesDecorator",
    "project": "projects:ProjectDecorator",
    "pypi_base": "packages:PypiBaseDecorator",
    "schedule": "schedules:ScheduleDecorator",
    "trigger": "events:TriggerDecorator",
    "trigger_on_finish": "events:TriggerOnFinishDecorator",
}
_HERE = __name__.rpartition(".")[0]
# A comma separates attributes only where another one begins: values may hold commas.
_NEXT_ATTRIBUTE = re.compile(r",(?=\s*[A-Za-z_]\w*=)")
STEP_DECORATORS = tuple(sorted(_STEP))
FLOW_DECORATORS = tuple(sorted(_FLOW))


def step_decorator_class(name: str) -> type[StepDecorator]:
    """The class of a built-in step decorator.

    Raises:
        UnknownStepDecoratorException: There is none of this name.
    """
    if name not in _STEP:
        raise UnknownStepDecoratorException(
            f"There is no step decorator '{name}'{_close(name, _STEP)} Available: {', '.join(STEP_DECORATORS)}.",
            fix="Name one of them, or a user decorator by its dotted path.",
            where={"decorator": name},
        )
    found: type[StepDecorator] = _load(_STEP[name])
    return found


def flow_decorator_class(name: str) -> type[FlowDecorator]:
    """The class of a built-in flow decorator.

    Raises:
        UnknownFlowDecoratorException: There is none of this name.
    """
    if name not in _FLOW:
        raise UnknownFlowDecoratorException(
            f"There is no flow decorator '{name}'{_close(name, _FLOW)} Available: {', '.join(FLOW_DECORATORS)}.",
            fix="Name one of them.",
            where={"decorator": name},
        )
    found: type[FlowDecorator] = _load(_FLOW[name])
    return found


def is_authored(value: object, name: str) -> bool:
    """Whether ``value`` is the function that authors write as ``@name``."""
    home = _STEP.get(name) or _FLOW.get(name)
    return home is not None and getattr(value, "__module__", "") == f"{_HERE}.{home.partition(':')[0]}"


def read_decospec(text: str) -> tuple[str, dict[str, Any]]:
    """The name and attributes of a decorator's specification.

    Args:
        text: ``NAME`` or ``NAME:attribute=value,attribute=value``. A value is JSON if it can be read as such, else a number,
            else text.

    Raises:
        CommandException: It has another form.
    """
    name, colon, rest = text.partition(":")
    name = name.strip()
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", name) or (colon and not rest.strip()):
        raise _bad_spec(text)
    attributes: dict[str, Any] = {}
    pieces = _NEXT_ATTRIBUTE.split(rest) if rest else []
    while pieces:
        attribute, equals, value = pieces.pop(0).partition("=")
        if not equals or not attribute.strip():
            raise _bad_spec(text)
        # A comma inside of JSON text may look like the start of an attribute.
        while value.lstrip()[:1] in ("{", "[", '"') and not _is_json(value) and pieces:
            value = f"{value},{pieces.pop(0)}"
        attributes[attribute.strip()] = _value(value)
    return name, attributes


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _bad_spec(text: str) -> CommandException:
    return CommandException(
        f"'{text}' is not the specification of a decorator.",
        fix="Write NAME or NAME:attribute=value,attribute=value, such as retry:times=4.",
        where={"decospec": text},
    )


def _load(home: str) -> Any:
    module, _, name = home.partition(":")
    return getattr(importlib.import_module(f"{_HERE}.{module}"), name)


def _close(name: str, known: dict[str, str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else "."
