"""The run that ``resume`` starts from, and the configs that it gives on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.exception import CommandException, MetaflowException
from airflow_mlflow_provider.flow.preparation import is_plain
from airflow_mlflow_provider.plan.manifest import decode

if TYPE_CHECKING:
    from airflow_mlflow_provider.cli.session import Session

_LOOKED_AT = 100
_OPTION = "--origin-run-id"


def latest_local_run(session: Session) -> str:
    """The newest run that was not started by Airflow.

    Raises:
        CommandException: There is none.
    """
    for run in session.ledger().latest(session.flow_name, _LOOKED_AT):
        if not run.startswith("airflow-"):
            return run
    raise CommandException(
        f"There is no local run of {session.flow_name} to resume in {session.store_url}.",
        fix=f"Name a run with {_OPTION}.",
        where={"flow": session.flow_name},
    )


def origin_configs(session: Session, arguments: Sequence[str]) -> dict[str, Any]:
    """Values of the configs of the run that is about to be resumed, by name; of those that the flow still has.

    The flow's configs have to be known before its options are, so the run is looked for among the arguments as they are. A
    run that does not exist has none: the command itself says so.

    Args:
        session: The invocation.
        arguments: What follows ``resume``.
    """
    if is_plain(session.flow_class):
        return {}
    from airflow_mlflow_provider.flow.config import declaration_of, flow_configs

    names = {declaration_of(config).name for config in flow_configs(session.flow_class)}
    if not names:
        return {}
    ledger = session.ledger()
    try:
        record = ledger.run(session.flow_name, _named(arguments) or latest_local_run(session))
        manifest = decode(ledger.blob(record.manifest))
    except MetaflowException:
        return {}
    return {name: value for name, value in manifest.configs.items() if name in names}


def _named(arguments: Sequence[str]) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == _OPTION:
            return arguments[position + 1] if position + 1 < len(arguments) else None
        if argument.startswith(f"{_OPTION}="):
            return argument.partition("=")[2]
    return None
