"""What a pod starts with.

The pod runs ``python -u -c <this file> <launch>``. It can rely on nothing but the standard library: this package is not
in the image, it arrives here, with the flow's code. The protocol between pod and store:

1. ``launch`` is a JSON object: ``store`` (URL), ``code`` (digest of the code package), ``image`` (for messages), and
   either ``request`` (what to run) or ``request_key`` (the key of the object that holds it).
2. ``<store>/code/<digest>.tar.zst`` is read, checked against the digest and unpacked to a fresh folder. It holds the
   flow's files in ``flow/`` and this package in ``runtime/``.
3. ``runtime/`` becomes importable, and ``airflow_mlflow_provider.runtime.unit`` runs the request with the folder's path
   in ``MLFLOW_PROVIDER_CODE``. Its exit code is the pod's. From there on the store is told everything by the records.

The packages that the runtime needs are the image's own. With the setting ``runtime_image``, an init container has put them
into ``$MLFLOW_PROVIDER_RUNTIME``, in a folder for each version of Python, and any image will do.

Exit codes of its own: 78 if the image cannot run the step (its Python, a missing package), 74 if the store could not be read
or the code package is corrupted. The last line on the standard error says why.
"""

from __future__ import annotations

import io
import json
import os
import runpy
import sys
import tarfile
import tempfile
from typing import Any

NEEDED = ("blake3", "cloudpickle", "msgspec", "obstore", "zstandard")
UNUSABLE_IMAGE = 78
UNREADABLE_STORE = 74


def fail(code: int, message: str) -> None:
    """End the pod with a message that Kubernetes also keeps as the reason of its end."""
    print(f"airflow-mlflow-provider: {message}", file=sys.stderr, flush=True)
    try:
        with open("/dev/termination-log", "w", encoding="utf-8") as log:
            log.write(message)
    except OSError:
        print("(The termination log cannot be written.)", file=sys.stderr, flush=True)
    sys.exit(code)


def check_python(image: str) -> None:
    """Refuse a Python that the runtime does not support."""
    version = "%d.%d" % sys.version_info[:2]
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        fail(
            UNUSABLE_IMAGE,
            f"the image {image} has Python {version}; steps need 3.10 to 3.13. Name another image.",
        )


def place_runtime(image: str) -> None:
    """Make the packages importable that an init container has placed, behind those of the image."""
    root = os.environ.get("MLFLOW_PROVIDER_RUNTIME")
    if not root:
        return
    version = "python%d.%d" % sys.version_info[:2]
    folder = os.path.join(root, version)
    if not os.path.isdir(folder):
        found = ", ".join(sorted(os.listdir(root))) if os.path.isdir(root) else "nothing"
        fail(
            UNUSABLE_IMAGE,
            f"the runtime image has no packages for {version}, the Python of the image {image}; it has {found}.",
        )
    offer(folder, first=False)


def offer(folder: str, first: bool) -> None:
    """Put a folder on the import path of this process and of the Python processes that it starts."""
    inherited = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    if first:
        sys.path.insert(0, folder)
        inherited.insert(0, folder)
    else:
        sys.path.append(folder)
        inherited.append(folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(inherited)


def check_packages(image: str) -> None:
    """Refuse an image that lacks what the runtime imports."""
    import importlib.util

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        fail(
            UNUSABLE_IMAGE,
            f"the image {image} lacks the Python package{'s' * (len(missing) > 1)} {', '.join(missing)}. "
            "Use an image built from docker/step, add the packages to the image, or set runtime_image.",
        )


def read(store: str, key: str) -> bytes:
    """Read an object of the store."""
    path = file_path(store)
    if path is not None:
        with open(os.path.join(path, *key.split("/")), "rb") as file:
            return file.read()
    import obstore
    from obstore.store import from_url

    options: dict[str, Any] = {}
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["client_options"] = {"allow_http": True}
    return bytes(obstore.get(from_url(store, **options), key).bytes())


def file_path(store: str) -> str | None:
    """The folder of a store that is one."""
    if store.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        return unquote(urlsplit(store).path)
    return None if "://" in store else os.path.expanduser(store)


def read_package(store: str, digest: str) -> bytes:
    """Read the code package, from the node's cache if there is one, and check it against its digest."""
    from blake3 import blake3

    name = f"{digest}.tar.zst"
    cache = os.environ.get("MLFLOW_PROVIDER_NODE_CACHE")
    cached = os.path.join(cache, name) if cache else None
    if cached and os.path.isfile(cached):
        with open(cached, "rb") as file:
            data = file.read()
        if blake3(data).hexdigest() == digest:
            return data
    data = read(store, f"code/{name}")
    found = blake3(data).hexdigest()
    if found != digest:
        raise ValueError(f"the code package {digest} is corrupted: its bytes have the digest {found}")
    if cache and cached and os.access(cache, os.W_OK):
        handle, partial = tempfile.mkstemp(dir=cache)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(partial, cached)
    return data


def unpack(data: bytes) -> str:
    """Unpack a code package to a fresh folder and return the folder's path."""
    import zstandard

    parent = os.environ.get("MLFLOW_PROVIDER_WORK")
    if parent:
        os.makedirs(parent, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="mlflow-code-", dir=parent or None)
    # Entries that lead out of the folder are refused; the older releases that lack this filter are told apart here.
    safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            archive.extractall(folder, **safe)
    return folder


def main(launch: dict[str, Any]) -> None:
    """Bring the runtime and the flow's code into this process and run the request."""
    image = launch["image"]
    check_python(image)
    place_runtime(image)
    check_packages(image)
    try:
        folder = unpack(read_package(launch["store"], launch["code"]))
        key = launch.get("request_key")
        request = read(launch["store"], key).decode() if key else json.dumps(launch["request"])
    except Exception as error:
        # Whatever the client library of the store raises, of whatever kind: without code there is nothing to run.
        fail(UNREADABLE_STORE, f"the step's code could not be read from {launch['store']}: {error}")
        raise
    os.environ["MLFLOW_PROVIDER_CODE"] = folder
    offer(os.path.join(folder, "runtime"), first=True)
    sys.argv = ["airflow_mlflow_provider.runtime.unit", request]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # The folder that the image starts in may hold modules with the names of ours.
    sys.path[:] = [entry for entry in sys.path if entry]
    main(json.loads(sys.argv[1]))
