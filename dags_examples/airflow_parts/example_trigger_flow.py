"""A deployed flow, started with parameters and waited for, its result read and its run promoted.

Deploy the flow first: ``python hello_flow.py airflow create``.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_mlflow_provider.operators.artifacts import FetchArtifactOperator, TagRunOperator
from airflow_mlflow_provider.operators.trigger_flow import TriggerFlowOperator
from airflow_mlflow_provider.sensors.artifact_store import FlowRunSensor

PATHSPEC = "{{ ti.xcom_pull('run_flow', key='pathspec') }}"
RUN = "ti.xcom_pull('run_flow', key='pathspec').partition('/')[2]"


@dag(schedule=None, tags=["example"])
def example_trigger_flow() -> None:
    run_flow = TriggerFlowOperator(
        task_id="run_flow", flow="HelloFlow", parameters={"count": 4}, deferrable=True, poke_interval=1
    )
    # Any other DAG can wait for the run as well.
    ended = FlowRunSensor(task_id="ended", flow="HelloFlow", run=f"{{{{ {RUN} }}}}", deferrable=True)
    promote = TagRunOperator(task_id="promote", run=PATHSPEC, add=["promoted"])
    fetch = FetchArtifactOperator(task_id="fetch", artifact=f"{PATHSPEC}/end/total")
    run_flow >> ended >> promote >> fetch


example_trigger_flow()
