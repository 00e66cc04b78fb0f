"""Which store a DAG's runs are in, and what was deployed as the DAG."""

from __future__ import annotations

import functools

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store


@functools.lru_cache(maxsize=16)
def store_at(url: str) -> Store:
    """The store at a URL; one for all requests, as it keeps connections."""
    return open_store(url)


def ledger_at(url: str) -> Ledger:
    """The records of a store; a new one for each request, as it remembers what it reads."""
    return Ledger(store_at(url))


def deployment_store() -> Store:
    """The store that the API server is configured with, which knows what is deployed.

    Raises:
        MetaflowNotFound: It is not configured.
    """
    return store_at(configured_store())


def deployed_manifest(dag_id: str) -> FlowManifest:
    """The manifest of a DAG.

    Raises:
        MetaflowNotFound: The store is not configured, or nothing is deployed as this DAG.
    """
    record = Deployments(deployment_store()).find(dag_id)
    if record is None:
        raise MetaflowNotFound(
            f"No flow is deployed as the DAG {dag_id} from {configured_store()}.",
            fix="Deploy it with `airflow create`; a DAG that is no flow has no such page.",
            where={"dag": dag_id},
        )
    return record.flow_manifest()


def configured_store() -> str:
    """URL of the store that the API server is configured with.

    Raises:
        MetaflowNotFound: It is not configured.
    """
    root = get("datastore_root")
    if not root:
        raise MetaflowNotFound(
            "The API server does not know the artifact store.",
            fix="Set datastore_root in [mlflow_provider] for the API server (AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT).",
        )
    return str(root)
