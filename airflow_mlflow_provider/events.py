"""What started a run: ``Trigger`` and ``MetaflowEvent``."""

from __future__ import annotations

from airflow_mlflow_provider.client.trigger import MetaflowEvent, Trigger

__all__ = ["MetaflowEvent", "Trigger"]
