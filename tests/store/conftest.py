"""Stores for the tests of this room."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.location import open_store


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def memory() -> Store:
    return open_store(f"memory://{uuid.uuid4().hex}")


@pytest.fixture
def s3(s3_bucket: str, tmp_path: Path) -> Iterator[Store]:
    """A store on S3 with a node-local cache."""
    store = open_store(f"s3://{s3_bucket}/root", cache=tmp_path / "node-cache")
    yield store
    store.close()


@pytest.fixture(params=["local", "memory", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found
