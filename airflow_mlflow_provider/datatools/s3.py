"""The S3 client of steps and notebooks."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.datatools.exception import MetaflowS3URLException
from airflow_mlflow_provider.datatools.store import ObjectStore


class S3(ObjectStore):
    """Objects of S3, many at once.

    Args:
        tmproot: Folder for downloaded files; the configured ``temp_dir`` by default.
        bucket: With ``run``: the bucket instead of that of the configured ``s3_root``.
        prefix: With ``run``: the prefix instead of that of ``s3_root``.
        run: The flow (``self`` in a step) or a `Run`: keys are below ``data/Flow/run`` of ``s3_root``.
        s3root: URL that keys are relative to. Without this and ``run``, keys are full URLs.
        encryption: Server-side encryption of puts, such as ``aws:kms``.

    Raises:
        MetaflowS3URLException: A URL is none, ``run`` and ``s3root`` are both given, or no root is configured.
    """

    _schemes: ClassVar[tuple[str, ...]] = ("s3",)

    def __init__(
        self,
        tmproot: str | None = None,
        bucket: str | None = None,
        prefix: str | None = None,
        run: Any = None,
        s3root: str | None = None,
        encryption: str | None = None,
    ) -> None:
        if run is not None and s3root is not None:
            raise MetaflowS3URLException("Both run and s3root are given.", fix="Give one of them.")
        root = s3root if run is None else _run_root(run, bucket, prefix)
        super().__init__(root, tmproot=tmproot, encryption=encryption)


def _run_root(run: Any, bucket: str | None, prefix: str | None) -> str:
    from airflow_mlflow_provider.flow.current import current
    from airflow_mlflow_provider.flow.spec import FlowSpec

    configured = get("s3_root") or ""
    if bucket is None and not configured:
        raise MetaflowS3URLException(
            "No root for the objects of runs is configured.",
            fix="Set s3_root in [mlflow_provider] (AIRFLOW__MLFLOW_PROVIDER__S3_ROOT), or give bucket.",
        )
    own_bucket, _, own_prefix = configured.removeprefix("s3://").partition("/")
    # A bucket of one's own has nothing to do with the configured prefix, unless one is named.
    base = prefix if prefix is not None else f"{own_prefix.rstrip('/')}/data" if bucket is None else "data"
    name = f"{current.flow_name}/{current.run_id}" if isinstance(run, FlowSpec) else run.pathspec
    return "/".join(part for part in (f"s3://{bucket or own_bucket}", base.strip("/"), name) if part)
