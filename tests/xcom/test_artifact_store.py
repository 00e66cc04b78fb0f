from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from airflow_mlflow_provider.exception import (
    CorruptedDataException,
    MetaflowConfigError,
    ObjectNotFound,
    UnpicklableArtifactException,
    UnreadableArtifactException,
)
from airflow_mlflow_provider.xcom.artifact_store import ArtifactStoreXComBackend, value_store
from airflow_mlflow_provider.xcom.reference import ArtifactReference
from tests.services.dag_test import run_dag
from tests.services.parts import use_backend

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from tests.services.s3 import S3Server

ALLOW = "AIRFLOW__MLFLOW_PROVIDER__XCOM_ALLOW_PICKLE"


def stored(value: Any, key: str = "return_value") -> Any:
    return ArtifactStoreXComBackend.serialize_value(value, key=key, task_id="t", dag_id="d", run_id="r")


def loaded(raw: Any) -> Any:
    """As a lazy sequence of mapped results does it: the value alone, without a key."""
    return ArtifactStoreXComBackend.deserialize_value(SimpleNamespace(value=raw))


def objects(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "values").rglob("*") if path.is_file())


class Model:
    """Has no form but a pickle."""

    def __init__(self, weight: float) -> None:
        self.weight = weight


def test_small_json_stays_in_the_database_and_needs_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", raising=False)
    assert stored({"a": [1, 2]}) == {"a": [1, 2]}
    assert loaded({"a": [1, 2]}) == {"a": [1, 2]}
    assert loaded(stored((1, 2))) == (1, 2)


def test_large_values_leave_a_pointer_with_a_preview(store_folder: Path) -> None:
    array = np.arange(10_000)
    raw = stored(array)
    reference = ArtifactReference.from_pointer(raw)
    assert reference is not None
    assert reference.type == "numpy.ndarray"
    assert reference.preview["shape"] == [10_000]
    np.testing.assert_array_equal(loaded(raw), array)
    assert loaded(stored("x" * 5000)) == "x" * 5000


def test_equal_values_are_one_object_and_purge_keeps_it(store_folder: Path) -> None:
    first, second = stored(np.ones(5000)), stored(np.ones(5000))
    assert first == second
    assert len(objects(store_folder)) == 1
    ArtifactStoreXComBackend.purge(SimpleNamespace(key="return_value", value=first))
    np.testing.assert_array_equal(loaded(second), np.ones(5000))


def test_links_of_operators_stay_texts_however_long(store_folder: Path) -> None:
    link = "https://airflow.example.org/" + "x" * 9000
    assert stored(link, key="_link_RunLink") == link
    assert not objects(store_folder)


def test_a_value_that_looks_like_a_pointer_is_still_a_value(store_folder: Path) -> None:
    forged = {"__artifact__": {"digest": "0" * 64, "size": 1, "codec": "pickle5", "type": "x"}}
    assert loaded(stored(forged)) == forged


def test_a_reference_passes_the_value_on_without_reading_it(store_folder: Path) -> None:
    raw = stored(np.arange(5000))
    reference = ArtifactReference.from_pointer(raw)
    assert reference is not None
    objects(store_folder)[0].unlink()
    assert stored(reference) == raw
    with pytest.raises(ObjectNotFound, match="is not in"):
        reference.load()


_WITHOUT_AIRFLOW = """
import pickle, sys
sys.modules["airflow"] = None
from airflow_mlflow_provider.xcom.reference import load
print(sum(load(pickle.loads(bytes.fromhex(sys.argv[1])))["a"]))
"""


def test_a_reference_is_loaded_where_there_is_no_airflow(store_folder: Path) -> None:
    reference = ArtifactReference.from_pointer(stored({"a": np.arange(5000), "b": [1.5] * 5000}))
    assert reference is not None
    handed_over = pickle.dumps(ArtifactReference(reference.entry, store_folder.as_uri())).hex()
    command = [sys.executable, "-c", _WITHOUT_AIRFLOW, handed_over]
    assert subprocess.check_output(command, text=True).strip() == str(sum(range(5000)))


def test_passing_a_value_on_asks_the_store_for_nothing(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", f"s3://{s3_bucket}/store")
    value_store.cache_clear()
    raw = stored(np.arange(5000))
    before = s3_server.counts(s3_bucket).total()
    assert before > 0
    reference = ArtifactReference.from_pointer(raw)
    assert reference is not None
    assert stored(reference) == raw
    assert (reference.type, reference.preview["shape"]) == ("numpy.ndarray", [5000])
    assert s3_server.counts(s3_bucket).total() == before
    np.testing.assert_array_equal(reference.load(), np.arange(5000))
    assert s3_server.counts(s3_bucket).total() > before
    value_store.cache_clear()


def test_objects_are_pickled_and_unpickled_only_where_that_is_allowed(
    store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnpicklableArtifactException, match="xcom_allow_pickle"):
        stored(Model(2.0))
    monkeypatch.setenv(ALLOW, "true")
    value_store.cache_clear()
    raw = stored({"model": Model(2.0)})
    assert loaded(raw)["model"].weight == 2.0
    monkeypatch.setenv(ALLOW, "false")
    value_store.cache_clear()
    with pytest.raises(UnreadableArtifactException, match="xcom_allow_pickle"):
        loaded(raw)


def test_an_estimator_comes_back_where_pickles_are_allowed(
    store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    monkeypatch.setenv(ALLOW, "true")
    model = linear_model.LinearRegression().fit(np.arange(10).reshape(-1, 1), np.arange(10))
    assert loaded(stored(model)).predict([[20]])[0] == pytest.approx(20)


def test_changed_bytes_are_noticed(store_folder: Path) -> None:
    raw = stored(np.random.default_rng(1).random(5000))
    (path,) = objects(store_folder)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptedDataException):
        loaded(raw)


def test_what_is_loaded_may_be_changed_without_changing_the_store(store_folder: Path) -> None:
    raw = stored(np.zeros(500_000))
    loaded(raw)[:] = 7
    assert not loaded(raw).any()


def test_without_a_store_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", raising=False)
    value_store.cache_clear()
    with pytest.raises(MetaflowConfigError, match="No artifact store is configured"):
        stored(b"x" * 10)


@pytest.fixture
def backend(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The backend is that of the tasks that `dag.test()` runs in this process."""
    use_backend(monkeypatch)
    return store_folder


def a_dag() -> DAG:
    from airflow.sdk import dag, get_current_context, task

    from airflow_mlflow_provider.xcom.reference import pull_reference

    @task
    def numbers() -> list[int]:
        return list(range(3))

    @task
    def column(n: int) -> Any:
        return np.full(3000, n)

    @task
    def total(columns: Any) -> int:
        return int(sum(part.sum() for part in columns))

    @task
    def both() -> Any:
        return {"array": np.arange(4000), "word": "hello"}

    @task
    def pass_on() -> Any:
        return pull_reference(get_current_context()["ti"], "both")

    @task
    def look(value: Any) -> str:
        return f"{value['word']} {value['array'].sum()}"

    @dag(schedule=None)
    def xcoms_of_all_kinds() -> None:
        total(column.expand(n=numbers()))
        passed = pass_on()
        both() >> passed
        look(passed)

    return xcoms_of_all_kinds()


def test_mapped_lazy_and_passed_on_values_arrive(backend: Path) -> None:
    run = run_dag(a_dag())
    assert run.xcom("total") == 9000
    assert run.xcom("look") == f"hello {np.arange(4000).sum()}"
    # Three columns, and one dict that two tasks returned.
    assert len(objects(backend)) == 4
