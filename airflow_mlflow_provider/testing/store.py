"""The conformance suite of stores: what :mod:`airflow_mlflow_provider.store.abc` promises, as tests.

A new backend subclasses it and gives a fixture:

```python
import pytest

from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.testing.store import StoreConformance


class TestFolder(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        return open_store(str(tmp_path), cache=None)
```

The store may hold objects already; the tests keep below a prefix of their own.
"""

# ruff: noqa: D102, S101 - the names of tests say what they show, and tests assert
from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_mlflow_provider.exception import (
    MetaflowException,
    MetaflowInternalError,
    ObjectExists,
    ObjectNotFound,
    StoreConflict,
)
from airflow_mlflow_provider.store.abc import Store

__all__ = ["StoreConformance"]

_LARGE = 40 << 20
_WRITERS = 16
# The system clock of a service need not be ours.
_CLOCK_SECONDS = 300.0


class StoreConformance:
    """Subclass it and override the ``store`` fixture."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise NotImplementedError

    @pytest.fixture
    def root(self) -> str:
        """A prefix that no other test uses."""
        return f"conformance/{uuid.uuid4().hex}"

    def test_an_object_reads_back_as_it_was_put(self, store: Store, root: str) -> None:
        for name, data in {"empty": b"", "one": b"\0", "some": bytes(range(256)) * 40}.items():
            store.put(f"{root}/{name}", data)
            assert bytes(store.get(f"{root}/{name}")) == data
            assert store.size(f"{root}/{name}") == len(data)

    def test_parts_are_one_object(self, store: Store, root: str) -> None:
        parts: list[bytes | bytearray | memoryview] = [
            b"a" * 100,
            bytearray(b"b" * 7),
            b"",
            memoryview(b"xcx")[1:2],
            memoryview(b"12345678").cast("Q"),
        ]
        store.put(f"{root}/parts", parts)
        assert bytes(store.get(f"{root}/parts")) == b"a" * 100 + b"b" * 7 + b"c" + b"12345678"

    def test_many_parts_are_one_object(self, store: Store, root: str) -> None:
        parts = [f"{number},".encode() for number in range(5000)]
        store.put(f"{root}/parts", parts)
        assert bytes(store.get(f"{root}/parts")) == b"".join(parts)

    def test_a_large_object_reads_back_whole_and_in_ranges(self, store: Store, root: str) -> None:
        data = bytes(uuid.uuid4().bytes * (_LARGE // 16))
        store.put(f"{root}/large", [data[: _LARGE // 3], data[_LARGE // 3 :]])
        assert bytes(store.get(f"{root}/large")) == data
        start = 12_345
        assert (
            bytes(store.get(f"{root}/large", start=start, length=_LARGE // 2))
            == data[start : start + _LARGE // 2]
        )
        assert bytes(store.get(f"{root}/large", length=2 * _LARGE)) == data
        assert store.size(f"{root}/large") == _LARGE

    def test_a_range_is_cut_where_the_object_ends(self, store: Store, root: str) -> None:
        store.put(f"{root}/digits", b"0123456789")
        assert bytes(store.get(f"{root}/digits", start=3, length=4)) == b"3456"
        assert bytes(store.get(f"{root}/digits", start=7, length=100)) == b"789"
        assert bytes(store.get(f"{root}/digits", start=4)) == b"456789"
        assert bytes(store.get(f"{root}/digits", length=2)) == b"01"
        assert bytes(store.get(f"{root}/digits", length=0)) == b""
        assert bytes(store.get(f"{root}/digits", start=10, length=5)) == b""
        assert bytes(store.get(f"{root}/digits", start=50)) == b""

    def test_what_is_not_there_is_not_found(self, store: Store, root: str) -> None:
        with pytest.raises(ObjectNotFound) as caught:
            store.get(f"{root}/absent")
        assert isinstance(caught.value, FileNotFoundError)
        assert f"{root}/absent" in str(caught.value)
        with pytest.raises(ObjectNotFound):
            store.get(f"{root}/absent", start=3, length=5)
        with pytest.raises(ObjectNotFound):
            store.get_versioned(f"{root}/absent")
        assert store.size(f"{root}/absent") is None
        assert store.info(f"{root}/absent") is None
        assert store.local_path(f"{root}/absent") is None
        assert store.get_many([f"{root}/absent"]) == [None]
        assert list(store.list(f"{root}/absent")) == []
        assert store.children(f"{root}/absent") == []
        store.delete([f"{root}/absent"])

    def test_a_folder_is_not_an_object(self, store: Store, root: str) -> None:
        store.put(f"{root}/folder/object", b"x")
        with pytest.raises(ObjectNotFound):
            store.get(f"{root}/folder")
        assert store.size(f"{root}/folder") is None
        assert store.local_path(f"{root}/folder") is None
        store.delete([f"{root}/folder"])
        assert bytes(store.get(f"{root}/folder/object")) == b"x"

    def test_many_objects_are_read_in_the_order_asked_for(self, store: Store, root: str) -> None:
        keys = [f"{root}/{number:03d}" for number in range(60)]
        for number, key in enumerate(keys):
            if number % 3:
                store.put(key, str(number).encode())
        found = store.get_many(keys[::-1])
        expected = [str(number).encode() if number % 3 else None for number in range(60)][::-1]
        assert [None if data is None else bytes(data) for data in found] == expected
        assert store.get_many([]) == []

    def test_a_put_replaces(self, store: Store, root: str) -> None:
        store.put(f"{root}/object", b"a longer old value")
        store.put(f"{root}/object", b"new")
        assert bytes(store.get(f"{root}/object")) == b"new"

    def test_a_create_only_put_leaves_what_is_there(self, store: Store, root: str) -> None:
        store.put(f"{root}/object", b"first", create=True)
        with pytest.raises(ObjectExists) as caught:
            store.put(f"{root}/object", b"second", create=True)
        assert isinstance(caught.value, FileExistsError)
        assert bytes(store.get(f"{root}/object")) == b"first"

    def test_equal_bytes_do_not_make_a_second_creation_succeed(self, store: Store, root: str) -> None:
        store.put(f"{root}/object", b"same", create=True)
        with pytest.raises(ObjectExists):
            store.put(f"{root}/object", b"same", create=True)

    def test_of_many_creators_exactly_one_succeeds(self, store: Store, root: str) -> None:
        for turn in range(5):
            start = threading.Barrier(_WRITERS)
            key = f"{root}/{turn}"

            def create(writer: int, key: str = key, start: threading.Barrier = start) -> int | None:
                start.wait()
                try:
                    store.put(key, f"{writer}".encode(), create=True)
                except ObjectExists:
                    return None
                return writer

            with ThreadPoolExecutor(_WRITERS) as threads:
                winners = [winner for winner in threads.map(create, range(_WRITERS)) if winner is not None]
            assert len(winners) == 1
            assert bytes(store.get(key)) == str(winners[0]).encode()

    def test_a_reader_never_sees_a_part_of_an_object(self, store: Store, root: str) -> None:
        key, size, done = f"{root}/object", 3 << 20, threading.Event()
        store.put(key, bytes(size))

        def write() -> None:
            for value in range(1, 8):
                store.put(key, [bytes([value]) * (size // 2)] * 2)
            done.set()

        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(write)
            while not done.is_set() and not writing.done():
                seen = bytes(store.get(key))
                assert len(seen) == size
                assert len(set(seen)) == 1
            writing.result()

    def test_a_replacement_succeeds_on_the_version_that_was_read(self, store: Store, root: str) -> None:
        store.put(f"{root}/tags", b"one", create=True)
        data, version = store.get_versioned(f"{root}/tags")
        assert data == b"one"
        store.replace(f"{root}/tags", b"two", version)
        assert store.get_versioned(f"{root}/tags")[0] == b"two"

    def test_a_replacement_of_another_version_is_a_conflict(self, store: Store, root: str) -> None:
        store.put(f"{root}/tags", b"one", create=True)
        _, version = store.get_versioned(f"{root}/tags")
        store.replace(f"{root}/tags", b"two", version)
        with pytest.raises(StoreConflict):
            store.replace(f"{root}/tags", b"three", version)
        assert bytes(store.get(f"{root}/tags")) == b"two"
        store.delete([f"{root}/tags"])
        with pytest.raises(StoreConflict):
            store.replace(f"{root}/tags", b"three", version)

    def test_no_replacement_is_lost(self, store: Store, root: str) -> None:
        store.put(f"{root}/count", b"0", create=True)

        def add(_: int) -> None:
            while True:
                data, version = store.get_versioned(f"{root}/count")
                try:
                    store.replace(f"{root}/count", str(int(data) + 1).encode(), version)
                except StoreConflict:
                    continue
                return

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(add, range(12)))
        assert bytes(store.get(f"{root}/count")) == b"12"

    def test_listings_are_in_key_order(self, store: Store, root: str) -> None:
        # "-" and "." sort before "/", "0" after it.
        names = ["a/1", "a-b", "a.b/x", "a0", "a/10", "a/2/deep/er", "b", "ä", "z/y", "a/ä", "a b"]
        for name in names:
            store.put(f"{root}/{name}", name.encode())
        listed = list(store.list(root))
        assert [item.key for item in listed] == sorted(f"{root}/{name}" for name in names)
        assert [item.size for item in listed] == [
            len(item.key.removeprefix(f"{root}/").encode()) for item in listed
        ]
        assert all(abs(item.modified - time.time()) < _CLOCK_SECONDS for item in listed)

    def test_a_prefix_is_whole_segments(self, store: Store, root: str) -> None:
        for name in ("ab/c", "ab/d/e", "abc/f", "a"):
            store.put(f"{root}/{name}", b"")
        assert [item.key for item in store.list(f"{root}/ab")] == [f"{root}/ab/c", f"{root}/ab/d/e"]
        assert list(store.list(f"{root}/a")) == []
        assert f"{root}/ab/c" in {item.key for item in store.list("")}

    def test_a_listing_starts_after_any_key_and_stops_at_its_limit(self, store: Store, root: str) -> None:
        keys = sorted(f"{root}/{folder}/{number}" for folder in ("a", "a-", "b") for number in range(4))
        for key in keys:
            store.put(key, b"")
        marks = [
            "",
            f"{root}/a",
            f"{root}/a/1",
            f"{root}/a/1x",
            f"{root}/a-/3",
            f"{root}/a0",
            f"{root}/b/3",
            f"{root}/c",
        ]
        for after in marks:
            expected = [key for key in keys if key > after]
            assert [item.key for item in store.list(root, after=after)] == expected
            assert [item.key for item in store.list(root, after=after, limit=3)] == expected[:3]
        assert list(store.list(root, limit=0)) == []

    def test_children_are_names_of_folders_and_objects(self, store: Store, root: str) -> None:
        for name in ("task/0/done", "task/1/done", "task/1/begin", "end", "task-2"):
            store.put(f"{root}/{name}", b"")
        assert store.children(root) == ["end", "task", "task-2"]
        assert store.children(f"{root}/task") == ["0", "1"]
        assert "conformance" in store.children("")

    def test_what_is_deleted_is_gone_from_reads_and_listings(self, store: Store, root: str) -> None:
        for name in ("x/1", "x/2", "y/1"):
            store.put(f"{root}/{name}", b"1")
        store.delete(f"{root}/{name}" for name in ("x/1", "x/2", "absent"))
        with pytest.raises(ObjectNotFound):
            store.get(f"{root}/x/1")
        assert [item.key for item in store.list(root)] == [f"{root}/y/1"]
        assert store.children(root) == ["y"]
        store.put(f"{root}/x/1", b"again", create=True)
        assert bytes(store.get(f"{root}/x/1")) == b"again"

    def test_a_local_path_holds_the_bytes_of_the_object(self, store: Store, root: str) -> None:
        key = f"blobs/{root}"
        store.put(key, b"mapped")
        path = store.local_path(key)
        assert path is None or path.read_bytes() == b"mapped"

    def test_any_text_that_may_be_a_key_works(self, store: Store, root: str) -> None:
        names = [
            "Schritt_ü",
            "a b",
            "50%",
            "a#b?c",
            "[x]",
            "$5",
            "`x`",
            "'q'",
            "emoji-🙂",
            "x=1&y=2",
            "a..b",
            "~t",
            "n" * 200,
        ]
        for name in names:
            store.put(f"{root}/{name}/o", name.encode())
        assert store.children(root) == sorted(names)
        assert [bytes(store.get(item.key)).decode() for item in store.list(root)] == sorted(
            names, key=lambda name: f"{name}/o"
        )

    @pytest.mark.parametrize(
        "key",
        ["", "/a", "a/", "a//b", "a/../b", ".", "..", "a/.", "a\0b", "a\nb", ".hidden/a", "a\\b", "n" * 300],
    )
    def test_other_text_is_refused(self, store: Store, key: str) -> None:
        with pytest.raises(MetaflowInternalError):
            store.put(key, b"")
        with pytest.raises(MetaflowException):
            store.get(key)

    def test_a_closed_store_opens_again(self, store: Store, root: str) -> None:
        store.put(f"{root}/object", b"x")
        store.close()
        assert bytes(store.get(f"{root}/object")) == b"x"
