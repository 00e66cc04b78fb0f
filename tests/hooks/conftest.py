from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.xcom.values import ValueStore


@pytest.fixture
def values(tmp_path: Path) -> ValueStore:
    """The values of an empty store in a folder."""
    return ValueStore(open_store(tmp_path.as_uri()), allow_pickle=False)
