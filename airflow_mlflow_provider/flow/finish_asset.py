"""The name of the Airflow asset that a run of a deployed flow updates when it has succeeded."""

from __future__ import annotations


def finish_asset(flow: str, end_step: str = "end") -> str:
    """The name of the asset that a successful run of a deployed flow updates.

    Args:
        flow: ``Flow``, or ``project.branch.Flow``.
        end_step: Name of its end step.
    """
    return f"metaflow.{flow}.{end_step}"
