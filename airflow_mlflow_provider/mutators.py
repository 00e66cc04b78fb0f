"""What mutators may do to a flow and to its steps."""

from __future__ import annotations

from airflow_mlflow_provider.flow.mutable import MutableFlow, MutableStep
from airflow_mlflow_provider.flow.mutators import ContentType

__all__ = ["ContentType", "MutableFlow", "MutableStep"]
