"""Requests that do not depend on each other: at once where each goes to a server, one after the other in a folder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from airflow_mlflow_provider.store.abc import REMOTE_SCHEMES, Store


def at_once(store: Store, most: int) -> Executor:
    """What makes requests of a store; its threads, if it has any, have ended when its block has.

    Args:
        store: The store. In a folder a thread costs more than what it would do.
        most: Largest number of requests on their way at a time.
    """
    if store.url.partition("://")[0] not in REMOTE_SCHEMES:
        return _OneAfterTheOther()
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(most, thread_name_prefix="at-once")


class _OneAfterTheOther(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            done.set_exception(error)
        return done
