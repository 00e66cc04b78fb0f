"""The flows that the user may read, and the runs of one."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from fastapi import APIRouter, Depends, Query

from airflow_mlflow_provider.cards.document import encode_card
from airflow_mlflow_provider.cards.flow_card import flow_card
from airflow_mlflow_provider.plugins.access import LOGGED_IN, READS_DATA, READS_RUN, READS_TASKS, AskerDep
from airflow_mlflow_provider.plugins.models.flows import (
    ComparisonView,
    FlowPage,
    NumericArtifacts,
    ReuseView,
    RunPage,
    TrendView,
)
from airflow_mlflow_provider.plugins.parameters import Cursor, DagId, Limit
from airflow_mlflow_provider.plugins.reading.comparing import comparison, numbers_of, reuse_of, trend_of
from airflow_mlflow_provider.plugins.reading.deployed import deployed_flows, flow_page
from airflow_mlflow_provider.plugins.reading.flows import FlowReader
from airflow_mlflow_provider.plugins.stores import deployed_manifest

MOST_COMPARED = 8

router = APIRouter(prefix="/api", tags=["Flows"])


def flow_reader(dag_id: DagId) -> FlowReader:
    """Reads the runs of the flow that is deployed as a DAG."""
    return FlowReader(deployed_manifest(dag_id))


FlowDep = Annotated[FlowReader, Depends(flow_reader)]
LastRuns = Annotated[int, Query(ge=1, le=200, description="How many of the last runs.")]


@router.get("/flows", dependencies=[LOGGED_IN])
def list_flows(
    asker: AskerDep,
    text: Annotated[
        str, Query(max_length=200, description="What name, docstring, owner or a tag holds.")
    ] = "",
    cursor: Cursor = "",
    limit: Limit = 20,
) -> FlowPage:
    """The flows that the user may read, with their last runs."""
    flows = [one for one in deployed_flows(asker.readable_dags()) if one.matches(text)]
    return flow_page(flows, lambda dag_id: asker.may("GET", dag_id), cursor, limit)


@router.get("/dags/{dag_id}/card", dependencies=[READS_RUN])
def get_flow_card(flow: FlowDep, asker: AskerDep, runs: LastRuns = 10) -> dict[str, Any]:
    """The card of the flow: what it is, who owns it, when it runs, and how its last runs went; a document for the viewer of cards."""
    found = flow.summaries(flow.records(runs), with_metrics=_may_see_data(asker, flow))
    document = flow_card(flow.ledger, flow.flow, flow.manifest, runs=found)
    made: dict[str, Any] = msgspec.json.decode(encode_card(document))
    return made


@router.get("/dags/{dag_id}/runs", dependencies=[READS_RUN])
def list_runs(flow: FlowDep, asker: AskerDep, cursor: Cursor = "", limit: Limit = 25) -> RunPage:
    """The runs of the DAG, newest first, with their parameters and, for who may see artifacts, the numbers they came to."""
    return flow.page(cursor, limit, with_metrics=_may_see_data(asker, flow))


@router.get("/dags/{dag_id}/comparison", dependencies=[READS_RUN, READS_TASKS])
def compare_runs(
    flow: FlowDep,
    asker: AskerDep,
    run: Annotated[list[str], Query(max_length=MOST_COMPARED, description="Airflow's ids of the runs.")],
) -> ComparisonView:
    """Runs side by side: parameters, numbers, durations of steps, what they ran with."""
    return comparison(flow, run, with_metrics=_may_see_data(asker, flow))


@router.get("/dags/{dag_id}/numbers", dependencies=[READS_RUN, READS_DATA])
def list_numbers(flow: FlowDep) -> NumericArtifacts:
    """Names of the numbers among the flow's artifacts, by step."""
    return numbers_of(flow)


@router.get("/dags/{dag_id}/trend", dependencies=[READS_RUN, READS_DATA])
def get_trend(
    flow: FlowDep,
    step: Annotated[str, Query(max_length=200)],
    name: Annotated[str, Query(max_length=500)],
    runs: LastRuns = 30,
) -> TrendView:
    """How a number went over the last runs; of a foreach, the mean of its tasks and their bounds."""
    return trend_of(flow, step, name, runs)


@router.get("/dags/{dag_id}/reuse", dependencies=[READS_RUN, READS_TASKS])
def get_reuse(flow: FlowDep, runs: LastRuns = 10) -> ReuseView:
    """What the cache gave to the last runs, and why not more."""
    return reuse_of(flow, runs)


def _may_see_data(asker: AskerDep, flow: FlowReader) -> bool:
    return asker.may("GET", flow.dag_id, DagAccessEntity.XCOM)
