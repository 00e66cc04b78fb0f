"""Exit hooks: each runs in a process of its own once the run is sealed, and changes nothing about the run.

``python -m airflow_mlflow_provider.runtime.exit_hooks`` reads a :class:`HookRequest` as JSON from its standard input,
loads the flow's file and calls the hook.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from airflow_mlflow_provider.exception import MetaflowInternalError
from airflow_mlflow_provider.flow.preparation import flow_decorators
from airflow_mlflow_provider.plan.manifest import ExitHook, FlowManifest

_MODULE = "airflow_mlflow_provider.runtime.exit_hooks"


class HookRequest(msgspec.Struct, frozen=True):
    """Call one hook.

    Attributes:
        manifest: The flow.
        file: The flow's file on this machine.
        hook: The hook.
        run: Run id; ``None`` if the run has failed before it had a record.
    """

    manifest: FlowManifest
    file: str
    hook: ExitHook
    run: str | None


def exit_hooks(flow_class: type) -> tuple[ExitHook, ...]:
    """The hooks of a flow by name, in the order in which they run."""
    found: list[ExitHook] = []
    for decorator in flow_decorators(flow_class):
        if decorator.name == "exit_hook":
            named: Any = decorator
            found += [ExitHook(hook.name, hook.on) for hook in named.named()]
    return tuple(found)


def run_hook(request: HookRequest, timeout: float, emit: Callable[[bytes], None]) -> str:
    """Call a hook in a new process and wait for it.

    Args:
        request: What to call.
        timeout: Seconds after which the hook is killed.
        emit: Called with each line that the hook prints, without newline; from another thread.

    Returns:
        Why the hook has failed; empty if it has not.
    """
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )
    given, printed = process.stdin, process.stdout
    if given is None or printed is None:
        raise MetaflowInternalError("The process of an exit hook has no pipes.")
    reader = threading.Thread(target=_read_lines, args=(printed, emit), name="exit-hook-output")
    reader.start()
    try:
        # A process that has died already says so by its exit code.
        with suppress(BrokenPipeError), given:
            given.write(msgspec.json.encode(request))
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        return f"it did not end within {timeout:g} seconds, and was killed"
    finally:
        # What the hook has started must not outlive it, nor hold its output open.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join()
        printed.close()
    if code < 0:
        return f"it was killed by {signal.Signals(-code).name}"
    return f"it ended with exit code {code}" if code else ""


def _read_lines(output: IO[bytes], emit: Callable[[bytes], None]) -> None:
    for line in output:
        emit(line.rstrip(b"\r\n"))


def run_local_hooks(
    flow_class: type, manifest: FlowManifest, run: str, succeeded: bool, timeout: float
) -> Iterator[str]:
    """Call the hooks of a local run that has been sealed, in order; what they print goes to the standard error.

    Args:
        flow_class: The flow.
        manifest: The flow as data.
        run: Run id.
        succeeded: Whether the run has succeeded.
        timeout: Seconds that each hook may take.

    Yields:
        For each hook that failed, a line that says which and why.
    """
    from airflow_mlflow_provider.runtime.assemble import flow_file

    file = str(flow_file(flow_class))
    for hook in exit_hooks(flow_class):
        if (hook.on == "success") == succeeded:
            failure = run_hook(HookRequest(manifest, file, hook, run), timeout, _to_standard_error)
            if failure:
                yield f"The exit hook {hook.name} failed: {failure}."


def _to_standard_error(line: bytes) -> None:
    sys.stderr.write(line.decode("utf-8", "backslashreplace") + "\n")


def main() -> int:
    """Call the hook that the request on the standard input names."""
    from airflow_mlflow_provider.flow.current import current
    from airflow_mlflow_provider.flow.decorators.exit_hooks import accepts_run
    from airflow_mlflow_provider.runtime.context import load_context

    request = msgspec.json.decode(sys.stdin.buffer.read(), type=HookRequest)
    manifest = request.manifest
    context = load_context(Path(request.file), manifest)
    current._set(_store=manifest.store)
    hook = _function(context.flow_class, request.hook)
    if accepts_run(hook):
        hook(run=_client_run(manifest, request.run))
    else:
        hook()
    return 0


def _function(flow_class: type, wanted: ExitHook) -> Callable[..., Any]:
    from airflow_mlflow_provider.flow.decorators.exit_hooks import ExitHookDecorator, resolve_hook

    for decorator in flow_decorators(flow_class):
        if isinstance(decorator, ExitHookDecorator):
            for named in decorator.named():
                if (named.name, named.on) == (wanted.name, wanted.on):
                    return decorator.resolve(named)
    return resolve_hook(wanted.name, flow_class)


def _client_run(manifest: FlowManifest, run: str | None) -> Any:
    if run is None:
        return None
    # The client stands above this room; naming it as text keeps the arrow pointing down.
    from importlib import import_module

    client = import_module("airflow_mlflow_provider.client")
    return client.Run(f"{manifest.flow_name}/{run}", _namespace_check=False, _store=manifest.store)


if __name__ == "__main__":
    sys.exit(main())
