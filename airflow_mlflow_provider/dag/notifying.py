"""Telling a web hook how a run ended: what ``airflow create --notify-on-error`` and ``--notify-on-success`` ask for.

Airflow calls back from the DAG processor when a DAG run has ended, with no code of the user's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from airflow.sdk import Context

from airflow_mlflow_provider.plan.manifest import FlowManifest


def told_of_end(manifest: FlowManifest, connection: str) -> list[Callable[[Context], None]]:
    """The callbacks of a DAG that tell a web hook.

    Args:
        manifest: The flow.
        connection: Airflow connection of the web hook; ``""`` for none.
    """
    return [partial(tell, manifest, connection)] if connection else []


def tell(manifest: FlowManifest, connection: str, context: Context) -> None:
    """Tell a web hook how a run ended.

    Args:
        manifest: The flow.
        connection: Airflow connection of the web hook.
        context: What Airflow's callback is given.

    Raises:
        AirflowApiError: The web hook refused or could not be reached.
    """
    from airflow_mlflow_provider.notifications.flow_run import FlowRunNotifier
    from airflow_mlflow_provider.operators.credentials import provide_credentials

    provide_credentials(manifest)
    notifier = FlowRunNotifier(webhook_conn_id=connection, flow=manifest.flow_name, store=manifest.store)
    notifier.notify(context)
