"""Publishing events: ``ArgoEvent`` keeps its name so that ported flows work; ``FlowEvent`` is the same class."""

from __future__ import annotations

from airflow_mlflow_provider.deploy.publishing import FlowEvent

ArgoEvent = FlowEvent

__all__ = ["ArgoEvent", "FlowEvent"]
