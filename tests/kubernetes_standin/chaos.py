"""Faults on order, and a memory of everything that was asked and created."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.kubernetes_standin.status import ApiError, Json

REASONS = {
    429: ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
    500: ("InternalError", "Internal error occurred: the stand-in was told to fail"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the server was unable to return a response in the time allotted"),
    403: ("Forbidden", "the stand-in was told to refuse"),
    404: ("NotFound", "the stand-in was told not to find it"),
    409: ("Conflict", "the stand-in was told to conflict"),
}


@dataclass
class Fault:
    """Fail ``times`` requests with this verb and resource (``*`` is any), once ``skip`` of them have passed."""

    verb: str = "create"
    resource: str = "pods"
    times: int = 1
    code: int = 500
    retry_after: int | None = None
    skip: int = 0

    def error(self) -> ApiError:
        """The answer."""
        reason, message = REASONS.get(self.code, ("Unknown", "the stand-in was told to fail"))
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        details: Json = {} if self.retry_after is None else {"retryAfterSeconds": self.retry_after}
        return ApiError(self.code, reason, message, details, headers)


@dataclass
class LogDrop:
    """Cut the next ``times`` log connections after ``lines`` lines; empty ``pod`` is any."""

    lines: int = 0
    times: int = 1
    pod: str = ""


@dataclass(frozen=True)
class SeenRequest:
    """One request as it arrived and how it was answered."""

    method: str
    path: str
    query: dict[str, str]
    verb: str
    resource: str
    user: str
    code: int
    body: Any
    time: float = field(default_factory=time.time)


@dataclass
class Chaos:
    """The faults that wait to happen, and the record of what did."""

    faults: list[Fault] = field(default_factory=list)
    log_drops: list[LogDrop] = field(default_factory=list)
    delay_seconds: float = 0.0
    """How long a new pod waits before it is scheduled."""
    requests: list[SeenRequest] = field(default_factory=list)

    def raise_fault(self, verb: str, resource: str) -> None:
        """Raise the ``ApiError`` that is due for this request, if one is."""
        for fault in self.faults:
            if fault.times > 0 and fault.verb in ("*", verb) and fault.resource in ("*", resource):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                raise fault.error()

    def take_log_drop(self, pod: str) -> int | None:
        """After how many lines to cut this log connection; None to leave it alone."""
        for drop in self.log_drops:
            if drop.times > 0 and drop.pod in ("", pod):
                drop.times -= 1
                return drop.lines
        return None

    def seen(self) -> list[Json]:
        """The requests as JSON."""
        return [asdict(request) for request in self.requests]

    def reset(self) -> None:
        """Forget every fault and every request."""
        self.faults.clear()
        self.log_drops.clear()
        self.requests.clear()
        self.delay_seconds = 0.0
