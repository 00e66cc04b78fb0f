"""One client that puts files into S3 and gets them back: `python object_clients.py CLIENT BUCKET FOLDER COPIES DESCRIPTOR`.

Every file of FOLDER is put COPIES times and each copy got into a file of its own. Writes JSON to the descriptor: seconds of the puts, of the gets, and of CPU of this
process and its children over both. Needs nothing but the client, so that peers run in an environment of their own.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_REQUESTS = 64
Transfer = tuple[Callable[[dict[str, str]], object], Callable[[dict[str, str]], object]]


def ours(bucket: str) -> Transfer:
    """`S3` of this package."""
    from airflow_mlflow_provider.datatools import S3

    s3 = S3(s3root=f"s3://{bucket}/data")
    return lambda files: s3.put_files([*files.items()]), lambda files: s3.get_many([*files])


def metaflow(bucket: str) -> Transfer:
    """Metaflow's `S3`."""
    from metaflow import S3

    s3 = S3(s3root=f"s3://{bucket}/data")
    return lambda files: s3.put_files([*files.items()]), lambda files: s3.get_many([*files])


def boto3(bucket: str) -> Transfer:
    """boto3's transfer manager, with as many requests at once as ours."""
    import boto3
    from botocore.config import Config
    from s3transfer.manager import TransferConfig, TransferManager

    config = TransferConfig(max_request_concurrency=_REQUESTS)
    client = boto3.client("s3", config=Config(max_pool_connections=_REQUESTS))

    def put(files: dict[str, str]) -> None:
        with TransferManager(client, config) as manager:
            for future in [manager.upload(path, bucket, f"data/{key}") for key, path in files.items()]:
                future.result()

    def get(files: dict[str, str]) -> None:
        with tempfile.TemporaryDirectory() as folder, TransferManager(client, config) as manager:
            for future in [manager.download(bucket, f"data/{key}", f"{folder}/{key}") for key in files]:
                future.result()

    return put, get


def s3fs(bucket: str) -> Transfer:
    """s3fs, with as many requests at once as ours."""
    import s3fs

    system = s3fs.S3FileSystem(skip_instance_cache=True)

    def put(files: dict[str, str]) -> None:
        system.put([*files.values()], [f"{bucket}/data/{key}" for key in files], batch_size=_REQUESTS)

    def get(files: dict[str, str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            system.get(
                [f"{bucket}/data/{key}" for key in files],
                [f"{folder}/{key}" for key in files],
                batch_size=_REQUESTS,
            )

    return put, get


def main(client: str, bucket: str, folder: str, copies: int, descriptor: int) -> None:
    """Put and get; tell how long it took."""
    files = {f"{file.name}-{copy}": str(file) for file in Path(folder).iterdir() for copy in range(copies)}
    put, get = {"ours": ours, "metaflow": metaflow, "boto3": boto3, "s3fs": s3fs}[client](bucket)
    cpu, begun = _cpu_seconds(), time.perf_counter()
    put(files)
    between = time.perf_counter()
    get(files)
    ended = time.perf_counter()
    found = {"put": between - begun, "get": ended - between, "cpu": _cpu_seconds() - cpu}
    # Not to standard output: clients print what they like.
    os.write(descriptor, json.dumps(found).encode())


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
