"""What a step's container is told to do: the command, and the request it carries.

The command has exec form: no shell reads it. Its last argument is JSON in ASCII, so that neither the locale of an image nor
Kubernetes' expansion of ``$(NAME)`` can change a character of it.
"""

from __future__ import annotations

import ast
import json
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from airflow_mlflow_provider.operators.kubernetes.environment import literal
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.request import UnitRequest

# One argument of a Linux process holds at most 128 KiB. The escaped form must fit.
MAX_REQUEST_BYTES = 100_000


def container_command(
    manifest: FlowManifest, request: UnitRequest, image: str, executable: str | None
) -> list[str]:
    """The command of the container that runs ``request``.

    A request too long for an argument (a shard of many thousands of paths) is written to the store, as a blob like any
    other, and named instead.

    Args:
        manifest: The flow, for its code package.
        request: What to run.
        image: Name of the container's image, for the messages of the bootstrap.
        executable: Path of Python in the image; by default ``python`` on its ``PATH``.

    Raises:
        StoreException: A long request could not be written.
    """
    where = _launch(manifest, request, image)
    text = _ascii({**where, "request": msgspec.to_builtins(request)})
    if len(literal(text)) > MAX_REQUEST_BYTES:
        text = _ascii({**where, "request_key": _put(request)})
    return [executable or "python", "-u", "-c", literal(bootstrap_source()), literal(text)]


def standing_command(idle_s: float, executable: str | None) -> list[str]:
    """The command of a warm pod's container: it ends when no step has come for so many seconds."""
    program = f"{_plain_source('standing.py')}\nstand({idle_s!r})\n"
    return [executable or "python", "-u", "-c", literal(program)]


def taking_command(executable: str | None) -> list[str]:
    """What is executed in a warm pod for a step; short, as it travels in an address. It reads :func:`taking_message`."""
    program = "import json, sys; m = json.loads(sys.stdin.buffer.readline()); exec(m['program'], m)"
    return [executable or "python", "-u", "-c", program]


def taking_message(manifest: FlowManifest, request: UnitRequest, image: str) -> bytes:
    """The line that tells a warm pod what to run."""
    launch = {**_launch(manifest, request, image), "request": msgspec.to_builtins(request)}
    program = f"{_plain_source('standing.py')}\ntake(bootstrap, launch)\n"
    text = _ascii({"program": program, "bootstrap": bootstrap_source(), "launch": launch})
    return f"{text}\n".encode()


def _launch(manifest: FlowManifest, request: UnitRequest, image: str) -> dict[str, Any]:
    return {"store": request.store, "code": manifest.code.digest, "image": image}


# The first process of a container is not ended by SIGTERM unless it says so, and one that comes before it has is lost: before all else.
_ENDS_WHEN_ASKED = """import signal, sys
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
"""


def bootstrap_source() -> str:
    """The source that a pod starts with."""
    return _ENDS_WHEN_ASKED + _plain_source("bootstrap.py")


@cache
def _plain_source(name: str) -> str:
    """A file of the runtime without docstrings, comments and annotations.

    It stands in every pod's specification; and a Python too old for the annotations can still say that it is too old.
    """
    text = files("airflow_mlflow_provider.runtime").joinpath(name).read_text(encoding="utf-8")
    return ast.unparse(ast.fix_missing_locations(_Plain().visit(ast.parse(text))))


class _Plain(ast.NodeTransformer):
    def visit_Module(self, node: ast.Module) -> ast.Module:
        node.body = node.body[1:]
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = node.body[1:]
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        value = node.value or ast.Constant(None)
        return ast.copy_location(ast.Assign(targets=[node.target], value=value), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        return None if node.module in ("__future__", "typing") else node


def _put(request: UnitRequest) -> str:
    """Write a request to the store and return its key; as no record refers to it, it is swept in time."""
    from airflow_mlflow_provider.store.blobs import blob_key, put_content
    from airflow_mlflow_provider.store.hashing import digest_of
    from airflow_mlflow_provider.store.location import open_store

    data = msgspec.json.encode(request)
    key = blob_key(digest_of([data], len(data)))
    store = open_store(request.store, cache=None)
    try:
        put_content(store, key, [data], len(data))
    finally:
        store.close()
    return key


def _ascii(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
