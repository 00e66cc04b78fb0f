"""``--trigger`` and ``--trigger-event``: a local run as if events or other runs had started it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from airflow_mlflow_provider.cli.session import Session
from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.parameters import ParameterContext, flow_parameters
from airflow_mlflow_provider.flow.preparation import flow_decorators

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.decorators.base import FlowDecorator
    from airflow_mlflow_provider.flow.decorators.events import TriggerEvent

Decorator = TypeVar("Decorator", bound="FlowDecorator")


def event_parameters(session: Session) -> dict[str, Any]:
    """The parameters that the payloads of ``--trigger-event`` set, as ``@trigger`` maps them.

    Raises:
        UsageError: An event is misspelt, or the flow waits for no such event.
        ParameterFieldTypeMismatch: A value does not have its parameter's type.
    """
    if not session.options.trigger_events:
        return {}
    parameters = {parameter.name: parameter for parameter in flow_parameters(session.flow_class)}
    values: dict[str, Any] = {}
    for event, payload in _events(session):
        for name, field in event.parameters.items():
            if field in payload:
                values[name] = parameters[name].check(payload[field])
    return values


def emulated_trigger(session: Session) -> dict[str, Any]:
    """What the record of the run says that started it; empty if nothing is emulated.

    Raises:
        UsageError: An option does not fit the flow.
        MetaflowException: A run named by ``--trigger`` does not exist or has not succeeded.
    """
    options = session.options
    if not (options.triggers or options.trigger_events):
        return {}
    now = time.time()
    events: list[dict[str, Any]] = []
    if options.trigger_events:
        events += [
            {"name": event.name, "id": f"local-{number}", "timestamp": now, "type": "event"}
            for number, (event, _) in enumerate(_events(session))
        ]
    if options.triggers:
        events += _runs(session)
    return {"events": events}


def _runs(session: Session) -> list[dict[str, Any]]:
    from airflow_mlflow_provider.client import Run
    from airflow_mlflow_provider.client.trigger import run_event
    from airflow_mlflow_provider.flow.decorators.events import TriggerOnFinishDecorator

    _decorator(session, TriggerOnFinishDecorator, "--trigger")
    events = []
    for pathspec in session.options.triggers:
        run = Run(pathspec, _namespace_check=False, _store=session.store_url)
        if not run.successful:
            raise MetaflowException(
                f"The run {pathspec} cannot trigger {session.flow_name}: its state is '{run.status}', not 'succeeded'.",
                fix="Name a run that has succeeded with --trigger.",
                where={"run": pathspec},
            )
        events.append(run_event(run))
    return events


def _events(session: Session) -> list[tuple[TriggerEvent, dict[str, Any]]]:
    from airflow_mlflow_provider.flow.decorators.events import DeploymentNames, TriggerDecorator
    from airflow_mlflow_provider.flow.decorators.projects import ProjectBranch

    decorator = _decorator(session, TriggerDecorator, "--trigger-event")
    context = ParameterContext(
        session.flow_name,
        session.user,
        "",
        logging.getLogger("airflow_mlflow_provider.triggers"),
        "local",
        session.configs,
    )
    parameters = [parameter.name for parameter in flow_parameters(session.flow_class)]
    project = session.project
    branch = None if project is None else msgspec.convert(project, ProjectBranch, from_attributes=True)
    known = {
        event.name: event
        for event in decorator.resolve(DeploymentNames(context, parameters, list(session.configs), branch))
    }
    return [_event(text, known) for text in session.options.trigger_events]


def _event(text: str, known: dict[str, TriggerEvent]) -> tuple[TriggerEvent, dict[str, Any]]:
    name, _, payload = text.partition(":")
    if name not in known:
        raise click.UsageError(f"The flow waits for no event '{name}', but for {', '.join(known)}.")
    try:
        return known[name], msgspec.json.decode(payload, type=dict[str, Any]) if payload else {}
    except msgspec.MsgspecError as error:
        raise click.UsageError(
            f"The payload of --trigger-event {name} is not a JSON object: {error}."
        ) from error


def _decorator(session: Session, kind: type[Decorator], option: str) -> Decorator:
    session.prepare()
    found = next((d for d in flow_decorators(session.flow_class) if isinstance(d, kind)), None)
    if found is None:
        raise click.UsageError(f"{option} needs @{kind.name} on {session.flow_name}.")
    return found
