"""Every backend keeps the contract of `store.abc`."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mlflow_provider.store._broker import BrokeredStore
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.testing.store import StoreConformance
from tests.services.s3 import S3Server


class TestLocalStore(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return open_store(str(tmp_path / "store"))


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self) -> Store:
        return open_store(f"memory://{uuid.uuid4().hex}")


class TestS3Store(StoreConformance):
    @pytest.fixture
    def store(self, s3_bucket: str) -> Iterator[Store]:
        store = open_store(f"s3://{s3_bucket}/some/prefix", cache=None)
        yield store
        store.close()


class TestS3StoreWithoutPrefix(StoreConformance):
    @pytest.fixture
    def store(self, s3_bucket: str) -> Iterator[Store]:
        store = open_store(f"s3://{s3_bucket}", cache=None)
        yield store
        store.close()


class TestCachedS3Store(StoreConformance):
    @pytest.fixture
    def store(self, s3_bucket: str, tmp_path: Path) -> Iterator[Store]:
        store = open_store(f"s3://{s3_bucket}/cached", cache=tmp_path / "cache")
        yield store
        store.close()


@pytest.fixture(scope="module")
def broker(s3_server: S3Server) -> Iterator[BrokeredStore]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment().items():
            patch.setenv(name, value)
        broker = BrokeredStore("s3", s3_server.bucket(), "brokered")
        yield broker
        broker.close()


class TestBrokeredS3Store(StoreConformance):
    @pytest.fixture
    def store(self, broker: BrokeredStore) -> Store:
        return broker
