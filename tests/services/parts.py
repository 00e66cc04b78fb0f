"""An Airflow whose XCom backend is ours, with an artifact store in a folder."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.xcom.artifact_store import ArtifactStoreXComBackend
from tests.services.airflow import LiveAirflow

BACKEND = "airflow_mlflow_provider.xcom.artifact_store.ArtifactStoreXComBackend"


def parts_environment(folder: Path) -> dict[str, str]:
    """The settings of an Airflow that keeps its XComs in the store in a folder."""
    return {
        "AIRFLOW__CORE__XCOM_BACKEND": BACKEND,
        # Workers that do not know Airflow's API: a resumed run's tasks find themselves taken over.
        "AIRFLOW__MLFLOW_PROVIDER__API_URL": "",
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT": folder.as_uri(),
    }


def use_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tasks that `dag.test()` runs in this process keep their XComs with our backend."""
    # Airflow chooses its backend when these are imported; a live Airflow with the setting is tested elsewhere.
    for name in ("xcom", "task_runner", "lazy_sequence"):
        module = importlib.import_module(f"airflow.sdk.execution_time.{name}")
        if hasattr(module, "XCom"):
            monkeypatch.setattr(module, "XCom", ArtifactStoreXComBackend)


class PartsSite:
    """The Airflow, and the folder of its store."""

    def __init__(self, airflow: LiveAirflow, folder: Path) -> None:
        self.airflow = airflow
        self.api = airflow.api
        self.folder = folder
        self.store = open_store(folder.as_uri())

    def add(self, file: Path, *dag_ids: str, beside: str = "") -> None:
        """Copy a DAG file, and the files beside it that a pattern matches, into the DAGs folder, and wait until it is parsed."""
        for path in [*(file.parent.glob(beside) if beside else ()), file]:
            (self.airflow.dags_folder / path.name).write_text(path.read_text())
        for dag_id in dag_ids:
            self.api.wait_for_dag(dag_id, filename=file.name)

    def values(self) -> set[Path]:
        """The objects that XComs are kept in."""
        return {path for path in (self.folder / "values").rglob("*") if path.is_file()}
