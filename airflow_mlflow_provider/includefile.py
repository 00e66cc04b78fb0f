"""Files as parameters of flows."""

from __future__ import annotations

from airflow_mlflow_provider.flow.includefile import IncludedFile, IncludeFile

__all__ = ["IncludeFile", "IncludedFile"]
