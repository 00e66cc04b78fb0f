"""Following the log of a container without losing or repeating a line.

The API gives a log from a whole second on, and the stream breaks whenever it likes. Each line comes with its time in
nanoseconds; by it, and by the number of lines already seen of the last time, a reader that begins anew knows where it was.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from typing import Literal

from airflow_mlflow_provider.operators.kubernetes.api import PodApi
from airflow_mlflow_provider.operators.kubernetes.spec import CONTAINER

# Seconds of silence after which the pod is looked at: its node may be gone.
IDLE_S = 30.0
_CHUNK_BYTES = 1 << 16
_MOST_BREAKS = 10

# Whether a log was read to its end, up to a break, or is not there (yet).
Reading = Literal["ended", "broken", "absent"]
# Unix seconds and nanoseconds.
Moment = tuple[int, int]


class ContainerLog:
    """The log of a pod's container, read from where it was left.

    Args:
        api: Where the pod is.
        pod_name: Name of the pod.
        emit: Gets each line, without its end.
    """

    def __init__(self, api: PodApi, pod_name: str, emit: Callable[[str], None]) -> None:
        self._api = api
        self._pod_name = pod_name
        self._emit = emit
        self._last: Moment = (0, 0)
        self._seen_of_last = 0

    def follow(self) -> Reading:
        """Emit lines until the container ends, the stream breaks, or nothing came for :data:`IDLE_S` seconds."""
        return self._read(follow=True)

    def rest(self) -> None:
        """Emit the lines that are there and were not emitted yet."""
        for _ in range(_MOST_BREAKS):
            if self._read(follow=False) != "broken":
                return

    def _read(self, follow: bool) -> Reading:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            response = self._api.open_log(self._pod_name, CONTAINER, follow, self._since(), IDLE_S)
        except (ApiException, HTTPError):
            # The caller looks at the pod, decides whether there will be a log, and comes back.
            return "absent"
        try:
            self._emit_new(_lines(response.stream(_CHUNK_BYTES, decode_content=True)))
        except HTTPError:
            # Silence, or a broken connection: the next call goes on behind the last line.
            return "broken"
        finally:
            response.close()
            response.release_conn()
        return "ended"

    def _emit_new(self, lines: Iterator[str]) -> None:
        start, to_skip = self._last, self._seen_of_last
        for line in lines:
            moment, text = split_time(line)
            if moment is not None and moment < start:
                continue
            if moment is not None and moment == start and to_skip:
                to_skip -= 1
                continue
            self._count(moment)
            self._emit(text)

    def _count(self, moment: Moment | None) -> None:
        if moment is None:
            return
        if moment == self._last:
            self._seen_of_last += 1
        else:
            self._last, self._seen_of_last = moment, 1

    def _since(self) -> int | None:
        if not self._seen_of_last:
            return None
        age = datetime.datetime.now(tz=datetime.timezone.utc).timestamp() - self._last[0]
        # The clocks of this machine and of the node may differ.
        return max(math.ceil(age), 0) + 5


def split_time(line: str) -> tuple[Moment | None, str]:
    """Split the RFC 3339 time from a line; ``None`` for the continuation of a very long line, which has no time."""
    stamp, _, text = line.partition(" ")
    head, dot, rest = stamp.partition(".")
    digits = rest.rstrip("Z").partition("+")[0].partition("-")[0] if dot else ""
    zone = rest[len(digits) :] if dot else ""
    if dot and not digits.isdigit():
        return None, line
    try:
        moment = datetime.datetime.fromisoformat(f"{head}{zone}".replace("Z", "+00:00"))
    except ValueError:
        return None, line
    if moment.tzinfo is None:
        return None, line
    return (int(moment.timestamp()), int(digits.ljust(9, "0")[:9]) if digits else 0), text


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Whole lines out of chunks that are cut anywhere; the last one may lack its end."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", errors="backslashreplace").rstrip("\r")
    if rest:
        yield rest.decode("utf-8", errors="backslashreplace")
