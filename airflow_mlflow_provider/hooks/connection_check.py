"""Tries a store, in a process of its own: ``python -m airflow_mlflow_provider.hooks.connection_check URL``.

The API server runs this with a connection's credentials in the environment, so that they never enter its own, and ends it
when it takes too long. It prints one line for people. Exit codes: 0 if the store can be read, 1 if not.
"""

from __future__ import annotations

import os
import sys

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.store.location import open_store


def check(url: str) -> str:
    """See whether a store can be listed and written to.

    Returns:
        What can be done, in one line.

    Raises:
        MetaflowException: It cannot even be listed.
    """
    store = open_store(url, cache=None)
    flows = len(store.children("flows"))
    key = f"checks/{os.urandom(8).hex()}"
    try:
        store.put(key, b"check", create=True)
        store.delete([key])
    except MetaflowException as error:
        return f"{url} can be read, but not written to: {_line(error)}"
    return f"{url} can be read and written to; it holds {flows} flow{'' if flows == 1 else 's'}."


def _line(error: MetaflowException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    try:
        print(check(sys.argv[1]))  # noqa: T201 - what the caller reads
    except MetaflowException as error:
        print(_line(error))  # noqa: T201 - what the caller reads
        sys.exit(1)
