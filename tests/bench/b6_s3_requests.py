"""B6: requests that reach the S3 server."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.bench import Bench, FlowCopy, Side
from tests.bench.outcome import Bar, Figure
from tests.services.s3 import S3Server

_FAILING = "7"
_BARS = {"3-step linear": 20, "10-split foreach": 60, "resume of that foreach": 25}


def run(bench: Bench) -> Iterator[Figure]:
    """Count both sides; a count needs no repetition."""
    with S3Server() as server:
        ours, peer = (_requests(bench.side(name), server) for name in ("ours", "metaflow"))
    for work, most in _BARS.items():
        yield Figure(
            "B6",
            f"S3 requests: {work}",
            str(ours[work]),
            str(peer[work]),
            f"{peer[work] / ours[work]:.1f}x fewer",
            Bar(f"≤ {most}", ours[work] <= most),
            {"ours": [ours[work]], "peer": [peer[work]]},
        )


def _requests(side: Side, server: S3Server) -> dict[str, int]:
    bucket = server.bucket()
    linear, wide = side.flow("linear"), side.flow("wide")
    counts = {"3-step linear": _counted(linear, server, bucket, "run")}
    counts["10-split foreach"] = _counted(wide, server, bucket, "run")
    _counted(wide, server, bucket, "run", failing=True)
    counts["resume of that foreach"] = _counted(wide, server, bucket, "resume")
    for flow in (linear, wide):
        flow.remove()
    return counts


def _counted(flow: FlowCopy, server: S3Server, bucket: str, command: str, *, failing: bool = False) -> int:
    before = server.counts(bucket).total()
    environment = {**server.environment(), **({"BENCH_FAIL": _FAILING} if failing else {})}
    if flow.side.name == "ours":
        top = ["--datastore-root", f"s3://{bucket}/ours"]
        environment["AIRFLOW__MLFLOW_PROVIDER__CLIENT_CACHE_PATH"] = str(flow.folder / "cache")
    else:
        top = ["--datastore", "s3"]
        environment |= {
            "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{bucket}/metaflow",
            "METAFLOW_S3_ENDPOINT_URL": server.endpoint_url,
        }
    flow.seconds(*top, command, environment=environment, expected=1 if failing else 0)
    return server.counts(bucket).total() - before
