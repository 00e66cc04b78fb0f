"""A private S3 server: moto behind a recorder that can also refuse, delay, or lose the answers of chosen requests."""

import sys
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.services.guarded import GuardedService
from tests.services.waiting import wait_until

REGION = "us-east-1"
START_SECONDS = 60.0


@dataclass(frozen=True)
class S3Request:
    """One request that the server answered. `operation` is S3's own name for it (`PutObject`, `ListObjects`, …)."""

    operation: str
    method: str
    bucket: str
    key: str
    status: int


class S3Server(GuardedService):
    """An S3 server in a process of its own on a free loopback port; a context manager.

    Conditional writes (`If-None-Match: *`) are atomic, as S3's are. Any credentials are accepted.
    """

    endpoint_url: str

    def environment(self) -> dict[str, str]:
        """The environment variables with which boto3, obstore and Airflow talk to this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self, name: str | None = None) -> str:
        """Create a bucket, with a fresh name unless one is given, and return its name."""
        name = name or f"test-{uuid.uuid4().hex[:12]}"
        httpx.put(f"{self.endpoint_url}/{name}").raise_for_status()
        return name

    def requests(self, bucket: str | None = None) -> list[S3Request]:
        """The requests since the last reset in the order of their answers, of one bucket or of all."""
        answer = httpx.get(f"{self.endpoint_url}/_control/requests", timeout=30).raise_for_status()
        requests = [S3Request(**entry) for entry in answer.json()]
        return [request for request in requests if bucket in (None, request.bucket)]

    def counts(self, bucket: str | None = None) -> Counter[str]:
        """How many requests of each operation there were since the last reset; `.total()` for all of them."""
        return Counter(request.operation for request in self.requests(bucket))

    def reset_requests(self) -> None:
        """Forget the recorded requests of all buckets. A shared server's other users lose theirs too: prefer a fresh bucket."""
        httpx.delete(f"{self.endpoint_url}/_control/requests").raise_for_status()

    def fail(
        self,
        status: int,
        *,
        operation: str = "*",
        bucket: str = "*",
        key: str = "*",
        times: int | None = 1,
        skip: int = 0,
        applied: bool = False,
    ) -> None:
        """Answer matching requests with an error.

        Args:
            status: HTTP status, such as 403, 500 or 503.
            operation: pattern (as in file names) for S3's operation name, such as `PutObject` or `*`.
            bucket: pattern for the bucket. Name yours if the server is shared.
            key: pattern for the whole key; `*` also matches slashes.
            times: how many matching requests fail; None for all until `clear_faults`.
            skip: how many matching requests to let through first.
            applied: carry the request out, and lose only its answer.
        """
        fault = {"status": status, "times": times, "skip": skip, "applied": applied}
        self._add_fault(fault | {"operation": operation, "bucket": bucket, "key": key})

    def slow_down(
        self,
        seconds: float,
        *,
        operation: str = "*",
        bucket: str = "*",
        key: str = "*",
        times: int | None = None,
    ) -> None:
        """Answer matching requests only after `seconds`, each."""
        self._add_fault(
            {"delay": seconds, "times": times, "operation": operation, "bucket": bucket, "key": key}
        )

    def clear_faults(self) -> None:
        """Remove every fault and delay."""
        httpx.delete(f"{self.endpoint_url}/_control/faults").raise_for_status()

    def _add_fault(self, fault: Mapping[str, Any]) -> None:
        httpx.post(f"{self.endpoint_url}/_control/faults", json=dict(fault)).raise_for_status()

    def _launch(self) -> dict[str, Any]:
        port_file = self.directory / "port"
        port_file.unlink(missing_ok=True)
        script = Path(__file__).with_name("s3_process.py")
        environment = {"MOTO_ALLOW_NONEXISTENT_REGION": "true", "PATH": "/usr/bin:/bin"}
        self._guard({"s3": [sys.executable, "-I", str(script), str(self.directory)]}, environment)
        wait_until(
            lambda: self.check_alive() and port_file.exists(),
            START_SECONDS,
            lambda: f"the S3 server to listen\n{self.log_tail('s3')}",
        )
        return {"port": int(port_file.read_text())}

    def _joined(self, facts: dict[str, Any]) -> None:
        self.endpoint_url = f"http://127.0.0.1:{facts['port']}"
