"""What a store holds instead of what was asked for, for messages."""

from __future__ import annotations

from airflow_mlflow_provider.store.ledger import Ledger

_MOST = 20
_MOST_RUNS = 5


def what_exists(ledger: Ledger, flow: str, run: str = "", step: str = "") -> str:
    """The tasks of a step, else the steps of the run, else the latest runs of the flow, else the flows: the first that there are."""
    if step and (tasks := ledger.tasks(flow, run, step)):
        return f"tasks of {step}: {', '.join(tasks[:_MOST])}"
    if run and (steps := ledger.steps(flow, run)):
        return f"steps of the run: {', '.join(steps)}"
    if runs := ledger.latest(flow, _MOST_RUNS):
        return f"latest runs: {', '.join(runs)}"
    return f"flows: {', '.join(ledger.flows()[:_MOST]) or 'none'}"
