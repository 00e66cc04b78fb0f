"""URLs of stores."""

import os
from pathlib import Path

import pytest

from airflow_mlflow_provider.exception import StoreURLError
from airflow_mlflow_provider.store._cache import CachedStore, default_folder
from airflow_mlflow_provider.store._local import LocalStore
from airflow_mlflow_provider.store._memory import MemoryStore
from airflow_mlflow_provider.store._remote import RemoteStore
from airflow_mlflow_provider.store.location import open_store


def test_paths_and_file_urls_are_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for url in (
        str(tmp_path / "a b"),
        "a b",
        "./a b",
        "~/a b",
        f"file://{tmp_path}/a%20b",
        f"file://localhost{tmp_path}/a%20b",
    ):
        store = open_store(url)
        assert isinstance(store, LocalStore)
        assert store.root == tmp_path / "a b"
        assert store.url == f"file://{tmp_path}/a%20b"
        assert open_store(store.url).url == store.url


def test_a_relative_path_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("here")
    store.put("a", b"1")
    os.chdir("/")
    assert store.get("a") == b"1"


def test_memory_stores_of_one_name_are_one(request: pytest.FixtureRequest) -> None:
    name = request.node.name
    open_store(f"memory://{name}").put("a", b"1")
    assert isinstance(open_store(f"memory://{name}"), MemoryStore)
    assert open_store(f"memory://{name}").get("a") == b"1"
    assert open_store(f"memory://{name}2").children("") == []


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_remote_stores_are_cached_and_not_connected_to(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store = open_store(f"{scheme}://bucket/a/b/")
    assert isinstance(store, CachedStore)
    assert store.url == f"{scheme}://bucket/a/b"
    assert store.folder.parent == tmp_path / "airflow_mlflow_provider"
    assert open_store(store.url).url == store.url
    assert isinstance(open_store(store.url, cache=None), RemoteStore)
    chosen = open_store(store.url, cache=tmp_path / "c")
    assert isinstance(chosen, CachedStore)
    assert chosen.folder == tmp_path / "c"
    assert not list(tmp_path.iterdir())


def test_each_remote_store_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__CLIENT_CACHE_PATH", str(tmp_path))
    assert default_folder("s3://a/b") != default_folder("s3://a/c")
    assert default_folder("s3://a/b").parent == tmp_path


def test_without_a_home_the_cache_is_a_folder_nobody_else_can_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    root = default_folder("s3://a/b").parents[1]
    assert root.parent == tmp_path
    assert root.stat().st_mode & 0o777 == 0o700
    assert default_folder("s3://a/b").parents[1] == root
    root.chmod(0o777)
    assert default_folder("s3://a/b").parents[1] != root


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://host/x",
        "s3:///x",
        "s3://",
        "memory://",
        "file://host/x",
        "file://x",
        "s3a://b/x",
        "gs://b/x?y=1",
        "az://u@c/x",
        "a\0b",
    ],
)
def test_other_urls_are_refused_with_what_there_is(url: str) -> None:
    with pytest.raises(StoreURLError) as caught:
        open_store(url)
    assert isinstance(caught.value, ValueError)
    assert "s3://bucket/prefix" in caught.value.fix
    assert "memory://name" in caught.value.fix
