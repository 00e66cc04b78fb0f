"""The flows that are deployed as DAGs, as a list."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from airflow_mlflow_provider.cards.flow_card import schedule_text
from airflow_mlflow_provider.deploy.record import DeploymentRecord, Deployments
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.plugins.models.flows import FlowPage, FlowRow
from airflow_mlflow_provider.plugins.reading.flows import FlowReader
from airflow_mlflow_provider.plugins.stores import deployment_store
from airflow_mlflow_provider.store.abc import Store

_AT_ONCE = 8
_DOC = 300


class DeployedFlow:
    """A flow that is deployed.

    Args:
        record: Its deployment.
    """

    def __init__(self, record: DeploymentRecord) -> None:
        self.dag_id = record.dag_id
        self.manifest: FlowManifest = record.flow_manifest()

    def matches(self, text: str) -> bool:
        """Whether DAG id, class, docstring, owner or a tag hold a text; case does not count."""
        manifest = self.manifest
        texts = (self.dag_id, manifest.flow_name, manifest.graph.doc, manifest.deployer, *manifest.tags)
        return any(text.casefold() in one.casefold() for one in texts)


def deployed_flows(readable: set[str]) -> list[DeployedFlow]:
    """The flows among some DAGs, by DAG id; a deployment is read again only when it has changed.

    Raises:
        MetaflowNotFound: The store is not configured.
    """
    store = deployment_store()
    found = [item for item in store.list("deployments") if _dag_of(item.key) in readable]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="flows") as pool:
        flows = list(pool.map(lambda item: _deployed(store, item.key, item.modified, item.size), found))
    return sorted((one for one in flows if one is not None), key=lambda one: one.dag_id)


def flow_page(
    flows: list[DeployedFlow], may_see_runs: Callable[[str], bool], cursor: str, limit: int
) -> FlowPage:
    """A page of flows, by DAG id.

    Args:
        flows: All of them.
        may_see_runs: Tells of a DAG whether the user may see its runs.
        cursor: Where the page before ended.
        limit: How many to answer at most.
    """
    rest = [one for one in flows if one.dag_id > cursor]
    shown = [(one, may_see_runs(one.dag_id)) for one in rest[:limit]]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="flows") as pool:
        rows = list(pool.map(lambda pair: _row(*pair), shown))
    return FlowPage(flows=rows, total=len(flows), next=rows[-1].dag_id if len(rest) > limit else "")


def _row(flow: DeployedFlow, with_runs: bool) -> FlowRow:
    manifest = flow.manifest
    return FlowRow(
        dag_id=flow.dag_id,
        flow=manifest.flow_name,
        doc=manifest.graph.doc.strip().partition("\n")[0][:_DOC],
        owner=manifest.deployer,
        schedule=schedule_text(manifest),
        tags=list(manifest.tags),
        step_count=len(manifest.graph.steps),
        runs=FlowReader(manifest).marks() if with_runs else [],
    )


@functools.lru_cache(maxsize=2000)
def _deployed(store: Store, key: str, modified: float, size: int) -> DeployedFlow | None:
    record = Deployments(store).find(_dag_of(key))
    return None if record is None else DeployedFlow(record)


def _dag_of(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")
