"""``pods/NAME/exec``: a command in a running container over a WebSocket (v4 and v5.channel.k8s.io)."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import secrets

from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.kubernetes_standin.container_process import (
    ContainerProcess,
    Exit,
    Launch,
    StartFailed,
    open_reader,
)
from tests.kubernetes_standin.container_runner import ContainerRunner
from tests.kubernetes_standin.query import flag
from tests.kubernetes_standin.status import ApiError, Json, bad_request

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class ExecSession:
    """One command: its streams joined with the channels of one WebSocket."""

    def __init__(self, socket: WebSocket, container: ContainerRunner) -> None:
        query = socket.query_params
        self.socket = socket
        self.container = container
        self.command = query.getlist("command")
        self.tty = flag(query.get("tty"))
        self.wants = {name: flag(query.get(name)) for name in ("stdin", "stdout", "stderr")}

    async def run(self) -> None:
        """Until the command ends or the client leaves. Raises ``ApiError`` before the connection is accepted."""
        process = self.container.process
        if process is None:
            raise bad_request(f"container {self.container.record.name} is not running")
        if not self.command:
            raise bad_request("you must specify at least 1 command for the container")
        if self.container.pod.kubelet.isolation == "none":
            raise ApiError(
                501, "NotImplemented", "exec needs process namespaces, which this machine does not permit"
            )
        offered = self.socket.scope.get("subprotocols") or []
        await self.socket.accept(next((name for name in PROTOCOLS if name in offered), None))
        launch = Launch(
            argv=self.command,
            env=self.container.record.environment,
            cwd=self.container.record.specification.get("workingDir") or "/",
            enter_pid=process.pid,
            tty=self.tty,
        )
        try:
            status = await self._converse(launch)
        except StartFailed as error:
            message = f"Internal error occurred: error executing command in container: {error}"
            status = {
                "metadata": {},
                "status": "Failure",
                "message": message,
                "reason": "InternalError",
                "code": 500,
            }
        await self._send(ERROR, json.dumps(status).encode())
        await self._close()

    async def _converse(self, launch: Launch) -> Json:
        """Run the command, carry its streams, and give the final ``Status``."""
        ends = _Ends.open(self.tty)
        pod = self.container.pod
        file = pod.directory / f"exec-{secrets.token_hex(4)}.json"
        try:
            process = await ContainerProcess.start(
                launch, file, stdin=ends.stdin, stdout=ends.stdout, stderr=ends.stderr
            )
        except StartFailed:
            ends.close_all()
            raise
        finally:
            file.unlink(missing_ok=True)
        ends.close_child()
        outputs = [asyncio.create_task(self._carry(STDOUT, "stdout", ends.read_stdout))]
        if ends.read_stderr is not None:
            outputs.append(asyncio.create_task(self._carry(STDERR, "stderr", ends.read_stderr)))
        inputs = asyncio.create_task(self._receive(ends))
        ended = await process.wait()
        await asyncio.gather(*outputs)
        inputs.cancel()
        await asyncio.gather(inputs, return_exceptions=True)
        ends.close_stdin()
        return _final_status(ended)

    async def _carry(self, channel: int, name: str, descriptor: int) -> None:
        reader = await open_reader(descriptor)
        while True:
            try:
                data = await reader.read(1 << 15)
            except OSError:  # a terminal whose other side is closed
                return
            if not data:
                return
            if self.wants[name]:
                await self._send(channel, data)

    async def _send(self, channel: int, data: bytes) -> None:
        try:
            await self.socket.send_bytes(bytes([channel]) + data)
        except (WebSocketDisconnect, RuntimeError):
            return  # the client has left: the command goes on, as under a real kubelet

    async def _close(self) -> None:
        try:
            await self.socket.close()
        except (WebSocketDisconnect, RuntimeError):
            return  # the client closed first

    async def _receive(self, ends: _Ends) -> None:
        """Carry the client's input until it leaves or closes it."""
        while True:
            try:
                message = await self.socket.receive()
            except RuntimeError:
                return None
            if message["type"] == "websocket.disconnect":
                return ends.close_stdin()
            data = message.get("bytes") or (message.get("text") or "").encode()
            if data[:1] == bytes([CLOSE]) and data[1:2] == bytes([STDIN]):
                ends.close_stdin()
            elif data[:1] == bytes([STDIN]) and self.wants["stdin"]:
                await asyncio.to_thread(ends.write_stdin, data[1:])


class _Ends:
    """The descriptors of a command: the child's three, and our side of them."""

    def __init__(
        self,
        stdin: int,
        stdout: int,
        stderr: int,
        write_stdin: int,
        read_stdout: int,
        read_stderr: int | None,
    ) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self._write_stdin: int | None = write_stdin
        self.read_stdout, self.read_stderr = read_stdout, read_stderr

    @classmethod
    def open(cls, tty: bool) -> _Ends:
        """Pipes, or one terminal for all three."""
        if tty:
            master, slave = pty.openpty()
            return cls(slave, slave, slave, os.dup(master), master, None)
        (stdin, write_stdin), (read_stdout, stdout), (read_stderr, stderr) = os.pipe(), os.pipe(), os.pipe()
        return cls(stdin, stdout, stderr, write_stdin, read_stdout, read_stderr)

    def close_child(self) -> None:
        """The child has its own copies."""
        for descriptor in {self.stdin, self.stdout, self.stderr}:
            os.close(descriptor)

    def close_all(self) -> None:
        """Nothing was started."""
        self.close_child()
        self.close_stdin()
        for descriptor in (self.read_stdout, self.read_stderr):
            if descriptor is not None:
                os.close(descriptor)

    def write_stdin(self, data: bytes) -> None:
        """Give the command input; what it no longer reads is dropped."""
        while data and self._write_stdin is not None:
            try:
                data = data[os.write(self._write_stdin, data) :]
            except BrokenPipeError:
                return

    def close_stdin(self) -> None:
        """End of input."""
        if self._write_stdin is not None:
            os.close(self._write_stdin)
            self._write_stdin = None


def _final_status(ended: Exit) -> Json:
    if ended.code == 0:
        return {"metadata": {}, "status": "Success"}
    message = f"command terminated with non-zero exit code: exit status {ended.code}"
    causes = [{"reason": "ExitCode", "message": str(ended.code)}]
    return {
        "metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode",
        "details": {"causes": causes},
    }  # fmt: skip
