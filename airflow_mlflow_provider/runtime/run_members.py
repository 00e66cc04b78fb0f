"""The ``_parameters`` task of a run: parameters, configs and constants, stored once and the same for all steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from airflow_mlflow_provider.exception import MetaflowDataMissing, ObjectExists
from airflow_mlflow_provider.flow.parameters import Parameter, flow_parameters
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP, ROOT_TASK_ID
from airflow_mlflow_provider.runtime.context import FlowContext, constants
from airflow_mlflow_provider.store.artifacts import ArtifactWriter
from airflow_mlflow_provider.store.at_once import at_once
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord


def members_key(flow: str, run: str) -> AttemptKey:
    """The attempt that holds a run's parameters, configs and constants."""
    return AttemptKey(flow, run, PARAMETERS_STEP, ROOT_TASK_ID, 0)


def run_members(ledger: Ledger, flow: str, run: str) -> DoneRecord:
    """The record of the ``_parameters`` task.

    Raises:
        MetaflowDataMissing: The start step has not stored it yet.
    """
    record = _stored(ledger, flow, run)
    if record is None:
        raise MetaflowDataMissing(
            f"The parameters of run {flow}/{run} are not stored.",
            fix="Run the start step of the run first.",
            where={"flow": flow, "run": run},
        )
    return record


def with_members(parents: Sequence[DoneRecord], members: DoneRecord, run: str) -> tuple[DoneRecord, ...]:
    """Records as a run sees them: those taken over from another run have the parameters that count now.

    Args:
        parents: The records.
        members: The record of the run's ``_parameters`` task, which may itself be taken over.
        run: Run id.
    """
    return tuple(
        parent
        if parent.key.run in (run, members.key.run)
        else msgspec.structs.replace(parent, artifacts={**parent.artifacts, **members.artifacts})
        for parent in parents
    )


def store_run_members(context: FlowContext, ledger: Ledger, run: str) -> DoneRecord:
    """Store parameters, configs and constants, unless an earlier attempt of the run's first task did.

    Raises:
        ParameterFieldTypeMismatch: A value given to the run does not have its parameter's type.
        CommandException: A required parameter was given no value.
    """
    flow = context.manifest.flow_name
    key = members_key(flow, run)
    stored = _stored(ledger, flow, run)
    if stored is not None:
        return stored
    started = time.time()
    writer = ArtifactWriter(ledger.store, f"{key.prefix}/pack")
    values = _values(context, ledger.run(flow, run).parameters, ledger)
    table = {name: writer.add(name, value) for name, value in values.items()}
    writer.flush()
    record = DoneRecord(key, "succeeded", started, time.time(), artifacts=table)
    try:
        ledger.commit(record)
    except ObjectExists:
        return run_members(ledger, flow, run)
    return record


def _stored(ledger: Ledger, flow: str, run: str) -> DoneRecord | None:
    """The run's own record, or that of the run it resumes if nothing in it has changed."""
    with at_once(ledger.store, 1) as others:
        taken_over = others.submit(ledger.carried, flow, run)
        own = ledger.done(members_key(flow, run))
    carried = taken_over.result().keys(flow, PARAMETERS_STEP).get(ROOT_TASK_ID)
    return ledger.done(carried) if own is None and carried is not None else own


def _values(context: FlowContext, given: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
    by_name = {parameter.name: parameter for parameter in flow_parameters(context.flow_class)}
    values: dict[str, Any] = dict(constants(context.flow_class))
    for spec in context.manifest.parameters:
        value = given.get(spec.name, spec.default)
        if value is None and spec.kind == "file":
            # In the trigger form of Airflow, null stands for the file that was deployed.
            value = spec.default
        parameter = by_name[spec.name]
        values[spec.attribute] = parameter.check(value)
        if spec.kind == "file" and value is not None:
            values[spec.attribute] = _kept_file(parameter, value, ledger)
    return {**values, **context.configs}


def _kept_file(parameter: Parameter, value: Any, ledger: Ledger) -> Any:
    from airflow_mlflow_provider.flow.includefile import IncludeFile
    from airflow_mlflow_provider.runtime.included_files import included_file

    return included_file(parameter, value, ledger) if isinstance(parameter, IncludeFile) else value
