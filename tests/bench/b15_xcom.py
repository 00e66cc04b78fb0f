"""B15: XComs in the store, against common-io's object storage backend: one value pushed by ten tasks and pulled by ten."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.bench.bench import Bench
from tests.bench.outcome import Figure, Samples, at_least

_TASKS = 10
_ROWS = 50_000


def run(bench: Bench) -> Iterator[Figure]:
    """Both backends in this process, on folders, with values that both can hold."""
    with tempfile.TemporaryDirectory(prefix="bench-xcom-") as folder:
        sides = _Backends(Path(folder))
        for what, value in _values().items():
            passed = bench.alternate(lambda v=value: sides.ours(v), lambda v=value: sides.peer(v))  # type: ignore[misc]
            yield at_least(
                "B15", f"{what}: pushed and pulled as an XCom by {_TASKS} tasks; peer: common-io", passed, 1
            )
            ours, peer = sides.stored
            yield Figure(
                "B15",
                f"{what}: bytes stored for these {_TASKS} XComs",
                f"{ours / 1e6:.1f} MB",
                f"{peer / 1e6:.1f} MB",
                f"{peer / ours:.1f}x fewer",
                None,
                Samples([ours], [peer]).raw,
            )


def _values() -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(1)
    numbers = random.random(_ROWS)
    return {
        f"a list of {_ROWS:,} floats": numbers.tolist(),
        f"a data frame of {_ROWS:,} rows": pd.DataFrame(
            {"x": numbers, "n": np.arange(_ROWS), "word": random.choice(["red", "green", "blue"], _ROWS)}
        ),
    }


class _Backends:
    """Both backends, each with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._ours, self._peer = folder / "ours", folder / "peer"
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        os.environ["AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT"] = self._ours.as_uri()
        os.environ["AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH"] = self._peer.as_uri()
        os.environ["AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD"] = "4096"
        self.stored = (0.0, 0.0)

    def ours(self, value: Any) -> float:
        """Seconds."""
        from airflow_mlflow_provider.xcom.artifact_store import ArtifactStoreXComBackend, value_store

        value_store.cache_clear()
        seconds = self._pass(ArtifactStoreXComBackend, self._ours, value)
        self.stored = (_bytes(self._ours), self.stored[1])
        return seconds

    def peer(self, value: Any) -> float:
        """Seconds."""
        from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend

        seconds = self._pass(XComObjectStorageBackend, self._peer, value)
        self.stored = (self.stored[0], _bytes(self._peer))
        return seconds

    @staticmethod
    def _pass(backend: Any, folder: Path, value: Any) -> float:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        push: Callable[..., Any] = backend.serialize_value
        begun = time.perf_counter()
        for task in range(_TASKS):
            raw = push(value, key="return_value", task_id=f"t{task}", dag_id="d", run_id="r")
            backend.deserialize_value(SimpleNamespace(key="return_value", value=raw))
        return time.perf_counter() - begun


def _bytes(folder: Path) -> float:
    return float(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
