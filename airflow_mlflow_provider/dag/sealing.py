"""Sealing a failed run: Airflow calls back from the DAG processor, with no code of the user's, when a DAG run has failed.

A run that succeeds is sealed by its end step. A run that fails may have no task left that could do it: a task was killed,
the scheduler was away, ``dagrun_timeout`` was reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest

if TYPE_CHECKING:
    from airflow.sdk import DAG


def seal_failed_run(manifest: FlowManifest, context: Context, own_dag: bool = True) -> None:
    """Write the run's verdict, unless somebody else has ended it.

    Args:
        manifest: The flow.
        context: What Airflow's callback is given.
        own_dag: Whether the DAG is the flow's own, so that its failure is the flow's.
    """
    from airflow_mlflow_provider.operators.credentials import provide_credentials
    from airflow_mlflow_provider.operators.metrics import count_run
    from airflow_mlflow_provider.operators.sealing import seal_failed
    from airflow_mlflow_provider.store.ledger import Ledger
    from airflow_mlflow_provider.store.location import open_store

    provide_credentials(manifest)
    ledger, flow = Ledger(open_store(manifest.store)), manifest.flow_name
    run = airflow_run_id(manifest.dag_id, context["run_id"], manifest.task_group)
    # The DAG around a flow may fail, or succeed, whatever has become of the flow.
    if not own_dag and ledger.run_end(flow, run) is not None:
        return
    reason = str(context.get("reason") or "Airflow ended the DAG run")
    seal_failed(ledger, flow, run, reason)
    count_run(flow, "failed")


def seal_with(dag: DAG, manifest: FlowManifest) -> None:
    """Have the run of a flow that is only a part of a DAG sealed as failed when the DAG run ends and the flow did not.

    Args:
        dag: The DAG around the flow; its own callbacks stay.
        manifest: The flow.
    """
    seal = _Seal(manifest)
    dag.on_failure_callback = [*_listed(dag.on_failure_callback), seal]
    dag.on_success_callback = [*_listed(dag.on_success_callback), seal]
    dag.has_on_failure_callback = dag.has_on_success_callback = True


class _Seal:
    """:func:`seal_failed_run` for one flow, whose manifest Airflow does not print when it calls it."""

    def __init__(self, manifest: FlowManifest) -> None:
        self._manifest = manifest

    def __call__(self, context: Context) -> None:
        seal_failed_run(self._manifest, context, own_dag=False)

    def __repr__(self) -> str:
        return f"<seal the run of {self._manifest.flow_name}>"


def _listed(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
