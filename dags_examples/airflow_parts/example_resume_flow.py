"""A deployed flow, started and, when it has ended, resumed from a step on: what comes before that step is taken over.

With ``trigger_rule="one_failed"`` instead, the second task mends runs that failed. Deploy the flow first:
``python hello_flow.py airflow create``.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_mlflow_provider.operators.resume_flow import ResumeFlowOperator
from airflow_mlflow_provider.operators.trigger_flow import TriggerFlowOperator


@dag(schedule=None, tags=["example"])
def example_resume_flow() -> None:
    run_flow = TriggerFlowOperator(
        task_id="run_flow", flow="HelloFlow", parameters={"count": 4}, deferrable=True, poke_interval=1
    )
    add_up_again = ResumeFlowOperator(
        task_id="add_up_again",
        flow="HelloFlow",
        origin="{{ ti.xcom_pull('run_flow', key='pathspec') }}",
        step="join",
        trigger_rule="all_done",
        deferrable=True,
        poke_interval=1,
    )
    run_flow >> add_up_again


example_resume_flow()
