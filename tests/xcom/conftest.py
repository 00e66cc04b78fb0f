from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mlflow_provider.xcom.artifact_store import value_store


@pytest.fixture
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the store that XComs go to in this test."""
    folder = tmp_path / "store"
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", str(folder))
    value_store.cache_clear()
    yield folder
    value_store.cache_clear()
