"""Parameters of flows."""

from __future__ import annotations

from airflow_mlflow_provider.flow.includefile import IncludeFile
from airflow_mlflow_provider.flow.parameters import JSONType, JSONTypeClass, Parameter, ParameterContext

__all__ = ["IncludeFile", "JSONType", "JSONTypeClass", "Parameter", "ParameterContext"]
