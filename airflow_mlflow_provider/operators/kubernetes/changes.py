"""Waiting for a pod to change: the API server says so at once, and where it cannot be asked to, the pod is looked at again."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

from airflow_mlflow_provider.operators.kubernetes.api import PodApi

# Of one who may look at pods and not watch them.
_FORBIDDEN = 403


class PodChanges:
    """What is to be known of a pod's changes.

    Args:
        api: Where the pod is.
    """

    def __init__(self, api: PodApi) -> None:
        self._api = api
        self._events: Generator[bytes, None, None] | None = None
        self._may_watch = True

    def wait(self, pod: Any, longest_s: float, pause_s: float) -> None:
        """Wait until a pod may be another than it was when it was seen.

        Args:
            pod: The ``V1Pod`` as it was seen.
            longest_s: Seconds to wait for a change at most.
            pause_s: Seconds to wait where nobody tells of changes.
        """
        if not (self._may_watch and self._is_told(pod, longest_s)):
            time.sleep(min(longest_s, pause_s))

    def close(self) -> None:
        """Stop listening."""
        events, self._events = self._events, None
        if events is not None:
            events.close()

    def _is_told(self, pod: Any, longest_s: float) -> bool:
        """Wait for a word of the API server; whether it gave one, or was silent for all of the time."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError, ReadTimeoutError

        try:
            self._events = self._events or self._api.watch(pod, longest_s)
            if next(self._events, None) is not None:
                return True
        except ReadTimeoutError:
            self.close()
            return True
        except ApiException as error:
            self._may_watch = error.status != _FORBIDDEN
        except HTTPError:
            pass  # asked again when the pod has been looked at
        self.close()
        return False
