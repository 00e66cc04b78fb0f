"""The ``[mlflow_provider]`` section: its keys, and a reader that needs no Airflow.

``get("max_workers")`` answers with a typed value; ``source_of("max_workers")`` tells where it came from.
"""

from airflow_mlflow_provider.configuration.key import SECTION, Key, Value
from airflow_mlflow_provider.configuration.keys import KEYS
from airflow_mlflow_provider.configuration.reader import get, source_of, use_profile

__all__ = ["KEYS", "SECTION", "Key", "Value", "get", "source_of", "use_profile"]
