"""The same behaviour on S3 and in a folder."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mlflow_provider.datatools import (
    S3,
    Local,
    MetaflowLocalNotFound,
    MetaflowS3AccessDenied,
    MetaflowS3InvalidObject,
    MetaflowS3InvalidRange,
    MetaflowS3NotFound,
    MetaflowS3URLException,
    ObjectStore,
    S3GetObject,
    S3PutObject,
    read_in_chunks,
)
from tests.services.s3 import S3Server


@pytest.fixture(params=["s3", "file"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "s3":
        root = f"s3://{request.getfixturevalue('s3_bucket')}/root"
    else:
        root = f"file://{tmp_path}/root"
    with ObjectStore(root) as store:
        yield store


def test_what_is_put_is_got_in_the_order_asked_for(objects: ObjectStore) -> None:
    pairs = objects.put_many([("a", "text é"), ("b/c", b"bytes"), ("b/d", io.BytesIO(b"file"))])

    found = objects.get_many(["b/d", "a", "b/c"])

    assert [key for key, _ in pairs] == ["a", "b/c", "b/d"]
    assert [item.blob for item in found] == [b"file", "text é".encode(), b"bytes"]
    assert [item.key for item in found] == ["b/d", "a", "b/c"]
    assert found[1].text == "text é"
    assert found[1].url == pairs[0][1]


def test_files_are_put_and_large_ones_travel_in_pieces(objects: ObjectStore, tmp_path: Path) -> None:
    content = os.urandom(40 << 20)
    (tmp_path / "large").write_bytes(content)

    objects.put_files([("large", str(tmp_path / "large"))])

    assert objects.get("large").blob == content
    assert objects.get(S3GetObject("large", 5, 35 << 20)).blob == content[5 : 5 + (35 << 20)]
    # Among many, each object has one connection.
    objects.put_many([(f"small/{number}", "x") for number in range(16)])
    many = objects.get_many(["large", *(f"small/{number}" for number in range(16))])
    assert [len(one.blob or b"") for one in many] == [len(content), *[1] * 16]
    assert many[0].blob == content


def test_an_object_without_bytes_is_got(objects: ObjectStore) -> None:
    objects.put("empty", b"")
    assert objects.get("empty").blob == b""


def test_what_is_no_key_is_refused(objects: ObjectStore) -> None:
    for wrong in (5, None):
        with pytest.raises(MetaflowS3URLException, match="no key"):
            objects.put(wrong, "x")  # type: ignore[arg-type]


def test_downloaded_files_vanish_when_the_client_is_closed(objects: ObjectStore) -> None:
    objects.put("a", "x")
    path = Path(objects.get("a").path or "")

    assert path.read_text() == "x"
    objects.close()

    assert not path.exists()


def test_a_missing_object_is_an_error_or_told(objects: ObjectStore) -> None:
    with pytest.raises(MetaflowS3NotFound, match="/root/no"):
        objects.get("no")
    with pytest.raises(FileNotFoundError):
        objects.info("no")
    missing = objects.get("no", return_missing=True)
    assert not missing.exists
    assert not missing.downloaded
    assert missing.blob is None
    assert not objects.info("no", return_missing=True).exists


def test_parts_of_an_object(objects: ObjectStore) -> None:
    objects.put("a", "0123456789")

    middle, tail, end = objects.get_many([S3GetObject("a", 2, 3), S3GetObject("a", 7), S3GetObject("a", -2)])

    assert (middle.text, tail.text, end.text) == ("234", "789", "89")
    assert middle.size == 3
    assert middle.range_info == (10, 2, 3)
    assert end.range_info == (10, 8, -1)
    with pytest.raises(MetaflowS3InvalidRange):
        objects.get(S3GetObject("a", 50, 3))
    with pytest.raises(MetaflowS3InvalidRange):
        objects.get(S3GetObject("a", 1, 0))


def test_an_object_is_kept_where_it_must_not_be_overwritten(objects: ObjectStore) -> None:
    objects.put("a", "first")

    assert objects.put("a", "second", overwrite=False).endswith("/a")

    assert objects.get("a").text == "first"
    objects.put("a", "second")
    assert objects.get("a").text == "second"


def test_listings_of_one_level_and_of_all(objects: ObjectStore) -> None:
    objects.put_many([("a", "1"), ("b/c", "22"), ("b/d/e", "333"), ("bb", "4")])

    level = {item.key: (item.exists, item.size) for item in objects.list_paths()}
    leaves = {item.key: item.size for item in objects.list_recursive()}

    assert level == {"a": (True, 1), "b": (False, None), "bb": (True, 1)}
    assert leaves == {"a": 1, "b/c": 2, "b/d/e": 3, "bb": 1}
    assert sorted(item.key for item in objects.list_recursive(["b"])) == ["b/c", "b/d/e"]
    assert sorted(item.text or "" for item in objects.get_recursive(["b"])) == ["22", "333"]
    assert len(objects.get_all()) == 4


def test_what_cannot_be_put_is_refused(objects: ObjectStore) -> None:
    with pytest.raises(MetaflowS3InvalidObject, match="int"):
        objects.put("a", 3)
    with pytest.raises(MetaflowS3InvalidObject, match="no file"):
        objects.put_files([("a", "/nowhere")])


def test_type_and_metadata_are_kept_on_s3(s3_bucket: str) -> None:
    with S3(s3root=f"s3://{s3_bucket}") as s3:
        s3.put("a", "x", content_type="text/csv", metadata={"origin": "here"})
        s3.put_many([S3PutObject("b", "y", metadata={"n": "1"})])

        assert s3.info("a").content_type == "text/csv"
        assert s3.info("a").metadata == {"origin": "here"}
        assert s3.info("a").last_modified
        assert not s3.info("a").downloaded
        assert s3.get("b").metadata == {"n": "1"}
        assert not s3.get("b", return_info=False).has_info


def test_without_a_root_keys_are_urls(s3_bucket: str) -> None:
    with S3() as s3:
        s3.put(f"s3://{s3_bucket}/x", "1")
        assert s3.get(f"s3://{s3_bucket}/x").key == f"s3://{s3_bucket}/x"
        with pytest.raises(MetaflowS3URLException):
            s3.get("x")
        with pytest.raises(MetaflowS3URLException):
            s3.get()


def test_refused_credentials_are_named(s3_bucket: str, s3_server: S3Server) -> None:
    s3_server.fail(403, operation="GetObject", bucket=s3_bucket, times=None)

    with S3(s3root=f"s3://{s3_bucket}") as s3, pytest.raises(MetaflowS3AccessDenied, match=s3_bucket):
        s3.get("a")


def test_transient_errors_are_tried_again(s3_bucket: str, s3_server: S3Server) -> None:
    s3_server.fail(503, operation="PutObject", bucket=s3_bucket, times=2)

    with S3(s3root=f"s3://{s3_bucket}") as s3:
        s3.put("a", "x")
        assert s3.get("a").text == "x"


def test_a_forked_process_uses_it_too(s3_bucket: str) -> None:
    from airflow_mlflow_provider import parallel_map

    with S3(s3root=f"s3://{s3_bucket}") as s3:
        s3.put("a", "x")

        def read(_: int) -> str | None:
            with S3(s3root=f"s3://{s3_bucket}") as own:
                return own.get("a").text

        assert parallel_map(read, [1, 2]) == ["x", "x"]


def test_a_folder_as_a_store(tmp_path: Path) -> None:
    with Local(str(tmp_path / "data")) as local:
        local.put("a/b", "x")
        assert (tmp_path / "data" / "a" / "b").read_text() == "x"
        with pytest.raises(MetaflowLocalNotFound):
            local.get("c")


def test_reading_in_chunks_copies_everything() -> None:
    target = io.BytesIO()

    assert len([*read_in_chunks(target, io.BytesIO(b"0123456789"), 10, 4)]) == 3
    assert target.getvalue() == b"0123456789"
