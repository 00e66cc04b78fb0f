"""B13: 1,000 objects of 100 kB, put and got, against boto3's transfer manager.

Both speak to the same server on this machine, whose own work is most of the time: the ratio understates the clients'.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.bench import Bench
from tests.bench.outcome import Figure, at_least
from tests.services.s3 import S3Server

_OBJECTS = 1000
_BYTES = 100_000


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with boto3."""
    folder = Path(tempfile.mkdtemp(prefix="b13-"))
    try:
        with S3Server(folder / "s3") as server:
            os.environ.update(server.environment())
            files = _files(folder)
            samples = bench.alternate(lambda: _ours(server, files), lambda: _boto3(server, files, folder))
        yield at_least(
            "B13", "1,000 objects of 100 kB, put and got; peer: boto3's transfer manager", samples, 1
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    files = [folder / f"object-{number}" for number in range(_OBJECTS)]
    for file in files:
        file.write_bytes(os.urandom(_BYTES))
    return files


def _ours(server: S3Server, files: list[Path]) -> float:
    from airflow_mlflow_provider.datatools import S3

    root = f"s3://{server.bucket()}/data"
    begun = time.perf_counter()
    with S3(s3root=root) as s3:
        s3.put_files([(file.name, str(file)) for file in files])
        s3.get_many([file.name for file in files])
        return time.perf_counter() - begun


def _boto3(server: S3Server, files: list[Path], folder: Path) -> float:
    import boto3
    from s3transfer.manager import TransferConfig, TransferManager

    bucket = server.bucket()
    begun = time.perf_counter()
    # As many requests at once as ours; its own default is 10.
    config = TransferConfig(max_request_concurrency=64)
    with TransferManager(boto3.client("s3"), config) as manager:
        for future in [manager.upload(str(file), bucket, file.name) for file in files]:
            future.result()
        for future in [
            manager.download(bucket, file.name, str(folder / f"got-{file.name}")) for file in files
        ]:
            future.result()
    return time.perf_counter() - begun
