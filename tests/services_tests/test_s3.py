import io
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, GenericError, PermissionDeniedError
from obstore.store import S3Store

from tests.services.s3 import S3Server
from tests.services.s3_process import ControlledS3


@pytest.fixture
def store(s3_server: S3Server, s3_bucket: str) -> S3Store:
    return S3Store(s3_bucket, aws_conditional_put="etag", retry_config={"max_retries": 0})


def test_an_object_comes_back_whole_and_in_ranges(store: S3Store) -> None:
    obstore.put(store, "a/b", b"0123456789")

    assert obstore.get(store, "a/b").bytes() == b"0123456789"
    assert obstore.get_range(store, "a/b", start=2, end=5) == b"234"


def test_a_multipart_upload_comes_back_whole(store: S3Store, s3_server: S3Server, s3_bucket: str) -> None:
    content = bytes(range(256)) * (12 * 1024 * 4)

    obstore.put(store, "large", content, chunk_size=5 * 1024 * 1024)

    assert obstore.get(store, "large").bytes() == content
    assert s3_server.counts(s3_bucket)["UploadPart"] == 3


def test_of_fifty_creators_at_once_exactly_one_wins(store: S3Store) -> None:
    def create(number: int) -> int | None:
        try:
            obstore.put(store, "once", f"{number}".encode(), mode="create")
        except AlreadyExistsError:
            return None
        return number

    with ThreadPoolExecutor(50) as pool:
        winners = [number for number in pool.map(create, range(50)) if number is not None]

    assert len(winners) == 1
    assert obstore.get(store, "once").bytes() == f"{winners[0]}".encode()


def test_a_backend_that_checks_and_stores_in_two_steps_sees_one_writer_of_a_key_at_a_time() -> None:
    stored: set[str] = set()
    others = threading.Barrier(2)

    def backend(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        taken = path in stored
        if path == "/bucket/contended":
            time.sleep(0.05)  # the window in which moto would let a second creator through
        else:
            others.wait(10)  # writers of two other keys only get on together
        stored.add(path)
        start_response("412 Precondition Failed" if taken else "200 OK", [])
        return []

    application = ControlledS3(backend)

    def put(path: str) -> str:
        answers: list[str] = []
        environ = {"REQUEST_METHOD": "PUT", "PATH_INFO": path, "wsgi.input": io.BytesIO()}
        application(environ, lambda status, headers: answers.append(status))
        return answers[0]

    with ThreadPoolExecutor(7) as pool:
        answers = list(pool.map(put, ["/bucket/contended"] * 5 + ["/bucket/one", "/bucket/other"]))

    assert sorted(answers[:5]) == ["200 OK"] + ["412 Precondition Failed"] * 4
    assert answers[5:] == ["200 OK", "200 OK"]


def test_requests_are_counted_by_operation_and_bucket(
    store: S3Store, s3_server: S3Server, s3_bucket: str
) -> None:
    other = s3_server.bucket()
    obstore.put(store, "x y/ü", b"1")
    obstore.get(store, "x y/ü")
    obstore.head(store, "x y/ü")
    obstore.list(store, "x y").collect()
    obstore.delete(store, "x y/ü")

    requests = s3_server.requests(s3_bucket)
    assert Counter(request.operation for request in requests[1:]) == s3_server.counts(s3_bucket) - Counter(
        CreateBucket=1
    )
    assert [request.operation for request in requests] == [
        "CreateBucket",
        "PutObject",
        "GetObject",
        "HeadObject",
        "ListObjects",
        "DeleteObjects",
    ]
    assert requests[1].key == "x y/ü"
    assert requests[1].status == 200
    assert s3_server.counts(other) == Counter(CreateBucket=1)


@pytest.mark.parametrize(
    ("status", "error"), [(403, PermissionDeniedError), (500, GenericError), (503, GenericError)]
)
def test_a_refused_write_fails_as_often_as_asked_and_writes_nothing(
    store: S3Store, s3_server: S3Server, s3_bucket: str, status: int, error: type[Exception]
) -> None:
    s3_server.fail(status, operation="PutObject", bucket=s3_bucket, key="*/done.json", skip=1)
    obstore.put(store, "first/done.json", b"")

    with pytest.raises(error):
        obstore.put(store, "runs/1/done.json", b"{}")

    assert [found["path"] for found in obstore.list(store).collect()] == ["first/done.json"]
    obstore.put(store, "runs/1/done.json", b"{}")


def test_an_applied_fault_loses_the_answer_but_not_the_write(
    store: S3Store, s3_server: S3Server, s3_bucket: str
) -> None:
    s3_server.fail(500, operation="PutObject", bucket=s3_bucket, applied=True)

    with pytest.raises(GenericError):
        obstore.put(store, "key", b"value")

    assert obstore.get(store, "key").bytes() == b"value"


def test_latency_can_be_added_to_one_operation(store: S3Store, s3_server: S3Server, s3_bucket: str) -> None:
    obstore.put(store, "key", b"value")
    s3_server.slow_down(0.5, operation="GetObject", bucket=s3_bucket, times=1)

    began = time.monotonic()
    obstore.get(store, "key")

    assert time.monotonic() - began >= 0.5


def test_a_private_server_leaves_nothing_behind() -> None:
    with S3Server() as server:
        server.bucket("mine")
        directory = server.directory
        assert (directory / "s3.log").exists()

    assert not directory.exists()
