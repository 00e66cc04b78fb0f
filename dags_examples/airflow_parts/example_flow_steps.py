"""Steps of a flow as tasks of a hand-written DAG, with a task of another kind between them; and one step on its own.

The tasks ``start``, ``check`` and ``end`` are one run of the flow. ``check_again`` runs a step once more, in a run of its own,
on what the steps before it left in that run.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from quote_flow import QuoteFlow

from airflow_mlflow_provider.operators.run_step import RunStepOperator


@dag(schedule=None, tags=["example"])
def example_flow_steps() -> None:
    @task
    def list_price() -> float:
        return 2.5

    @task
    def approve() -> None:
        print("somebody has looked at it")

    start = RunStepOperator(task_id="start", flow=QuoteFlow, parameters={"price": list_price()})
    check = RunStepOperator(task_id="check", flow=QuoteFlow)
    end = RunStepOperator(task_id="end", flow=QuoteFlow)
    check_again = RunStepOperator(
        task_id="check_again", flow=QuoteFlow, step="check", inputs_from=check.output
    )
    start >> check >> approve() >> end >> check_again


example_flow_steps()
