from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlflow_provider.operators.kubernetes.command import (
    MAX_REQUEST_BYTES,
    bootstrap_source,
    container_command,
)
from airflow_mlflow_provider.runtime.request import UnitRequest
from airflow_mlflow_provider.store.location import open_store
from tests.kubernetes_standin.environment import expand
from tests.operators.kubernetes.flows import manifest, request, step


def launch(wanted: UnitRequest) -> tuple[list[str], dict[str, Any]]:
    """The command as the container gets it, and the launch object in it."""
    command = container_command(manifest(step(), store=wanted.store), wanted, "image:1", None)
    got = [expand(word, {"HOME": "wrong"}) for word in command]
    return got, json.loads(got[-1])


def test_the_command_is_no_shell() -> None:
    command, _ = launch(request())
    assert command[:3] == ["python", "-u", "-c"]
    assert container_command(manifest(step()), request(), "image:1", "/opt/python")[0] == "/opt/python"


@given(st.text(max_size=40))
def test_any_value_reaches_the_pod_unchanged(value: str) -> None:
    wanted = request(airflow={"log_url": f"$(HOME){value}"})
    command, found = launch(wanted)
    assert msgspec.convert(found["request"], UnitRequest) == wanted
    assert command[-1].isascii()


def test_the_bootstrap_survives_the_expansion_of_kubernetes() -> None:
    command, _ = launch(request())
    assert command[3] == bootstrap_source()


def test_the_bootstrap_is_plain_and_short() -> None:
    source = bootstrap_source()
    tree = ast.parse(source, feature_version=(3, 7))
    assert not any(isinstance(node, ast.AnnAssign) for node in ast.walk(tree))
    assert '"""' not in source
    assert len(source) < 8000


def test_a_request_too_long_for_an_argument_goes_through_the_store(tmp_path: Path) -> None:
    wanted = request(store=str(tmp_path), paths=tuple((index,) for index in range(40_000)))
    command, found = launch(wanted)
    assert all(len(word) <= MAX_REQUEST_BYTES for word in command)
    assert "request" not in found
    stored = bytes(open_store(str(tmp_path)).get(found["request_key"]))
    assert msgspec.json.decode(stored, type=UnitRequest) == wanted
