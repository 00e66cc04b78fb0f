"""``python -m tests.kubernetes_standin --port 0 --state-dir D --ready-file F``."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from tests.kubernetes_standin.server import serve
from tests.kubernetes_standin.settings import Image, Settings


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(
        prog="tests.kubernetes_standin", description="A strict Kubernetes API-server stand-in."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--state-dir", type=Path, required=True, help="pods' files, logs, kubeconfig")
    parser.add_argument(
        "--ready-file", type=Path, required=True, help="written (JSON) when the server answers"
    )
    parser.add_argument("--tls", action="store_true", help="serve HTTPS with a self-signed certificate")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input does")
    parser.add_argument(
        "--options", type=json.loads, default={}, help="JSON: images, capacity, node_labels, …_seconds"
    )
    arguments = parser.parse_args()
    options = dict(arguments.options)
    images = tuple(Image(**_tuples(image)) for image in options.pop("images", []))
    settings = Settings(
        state_directory=arguments.state_dir.resolve(),
        address=arguments.address,
        port=arguments.port,
        tls=arguments.tls,
        images=images,
        **options,
    )
    asyncio.run(serve(settings, arguments.ready_file.resolve(), exit_with_stdin=arguments.exit_with_stdin))


def _tuples(image: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in image.items()}


if __name__ == "__main__":
    main()
