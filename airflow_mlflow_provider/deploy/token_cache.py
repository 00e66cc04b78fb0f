"""The production tokens that a user of this machine has made or given, so that each is asked for once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.runtime.whole_files import write_whole

_MOST_TOKENS = 8
# By user, by DAG id: the newest first.
Tokens = dict[str, dict[str, list[str]]]


def known_tokens(user: str, dag_id: str) -> list[str]:
    """The tokens of a deployment that the user has made or given, newest first."""
    return _read().get(user, {}).get(dag_id, [])


def remember_token(user: str, dag_id: str, token: str) -> None:
    """Keep a token, for this account of the machine only; where that fails, it is asked for again."""
    tokens = _read()
    known = tokens.setdefault(user, {}).setdefault(dag_id, [])
    if known[:1] == [token]:
        return
    tokens[user][dag_id] = [token, *(other for other in known if other != token)][:_MOST_TOKENS]
    with suppress(OSError):
        write_whole(_file(), [msgspec.json.encode(tokens)])


def _read() -> Tokens:
    try:
        return msgspec.json.decode(_file().read_bytes(), type=Tokens)
    except (OSError, msgspec.MsgspecError):
        return {}


def _file() -> Path:
    return Path(get("token_cache_path")).expanduser()
