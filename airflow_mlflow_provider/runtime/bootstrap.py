"""What a pod starts with.

The pod runs ``python -u -c <this file> <launch>``. It can rely on nothing but the standard library: this package is not
in the image, it arrives here, with the flow's code. The protocol between pod and store:

1. ``launch`` is a JSON object: ``store`` (URL), ``code`` (digest of the code package), ``image`` (for messages), and
   either ``request`` (what to run) or ``request_key`` (the key of the object that holds it).
2. ``<store>/code/<digest>.tar.zst`` is read, checked against the digest and unpacked. It holds the flow's files in
   ``flow/`` and this package in ``runtime.zip``. The folder is the one where the runtime looks for it, so that the package
   is read once, and not at all where ``temp_dir`` outlives the pod.
3. ``runtime.zip`` becomes importable, and ``airflow_mlflow_provider.runtime.unit`` runs the request. Its exit code is the
   pod's. From there on the store is told everything by the records.

The store's client is only used in a child process: its threads would not survive the forks by which the runtime starts
tasks. While that process fetches, this one imports what the runtime will.

The packages that the runtime needs are the image's own. With the setting ``runtime_image``, an init container has put them
into ``$MLFLOW_PROVIDER_RUNTIME``, in a folder for each version of Python, and any image will do.

Exit codes of its own: 78 if the image cannot run the step (its Python, a missing package), 74 if the code could not be
read or is corrupted. The last line on the standard error, which Kubernetes keeps as the reason of the end, says why.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import runpy
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NoReturn

NEEDED = ("blake3", "cloudpickle", "msgspec", "obstore", "zstandard")
# What the runtime imports that is not its own, of what takes longest.
IMPORTED_MEANWHILE = (
    "msgspec",
    "concurrent.futures.thread",
    "difflib",
    "inspect",
    "logging",
    "platform",
    "socket",
    "uuid",
)
OLDEST, NEWEST = (3, 10), (3, 13)
UNUSABLE_IMAGE = 78
UNREADABLE_CODE = 74
LARGEST_ARCHIVE = 1 << 32
ENDPOINT_VARIABLES = (
    "AIRFLOW__MLFLOW_PROVIDER__S3_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
)


def fail(code: int, message: str) -> NoReturn:
    """End the pod with a message."""
    sys.stderr.write(f"airflow-mlflow-provider: {message}\n")
    sys.stderr.flush()
    sys.exit(code)


def check_python(image: str) -> None:
    """Refuse a Python that the runtime does not support."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        supported = "{}.{} to {}.{}".format(*OLDEST, *NEWEST)
        fail(
            UNUSABLE_IMAGE,
            f"the image {image} has Python {python_version()}, and steps need Python {supported}. "
            "Name another image in @kubernetes or kubernetes_image, or another executable.",
        )


def python_version() -> str:
    """Major and minor version of this interpreter."""
    return "{}.{}".format(*sys.version_info)


def place_runtime(image: str) -> None:
    """Make the packages importable that an init container has placed, behind those of the image."""
    given = os.environ.get("MLFLOW_PROVIDER_RUNTIME")
    if not given:
        return
    root = Path(given)
    folder = root / f"python{python_version()}"
    if not folder.is_dir():
        found = ", ".join(sorted(entry.name for entry in root.iterdir())) if root.is_dir() else "nothing"
        fail(
            UNUSABLE_IMAGE,
            f"the runtime image has no packages for Python {python_version()} of the image {image}; it has {found}. "
            "Name a runtime_image that has them.",
        )
    offer(folder, len(sys.path))


def offer(folder: Path, position: int) -> None:
    """Put a folder or zip archive on the import path, at a position, and at the end of that of the Python processes started here."""
    sys.path.insert(position, str(folder))
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([*filter(None, inherited), str(folder)])


def check_packages(image: str) -> None:
    """Refuse an image that lacks what the runtime imports."""
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        fail(
            UNUSABLE_IMAGE,
            f"the image {image} lacks the Python packages {', '.join(missing)}. Use an image built from docker/step, "
            "add them to the image, or set runtime_image.",
        )


def is_remote(store: str) -> bool:
    """Whether a store is reached by its client, and not a folder."""
    return "://" in store and not store.startswith("file://")


def read(store: str, key: str) -> bytes:
    """Read an object of the store."""
    scheme, separator, _ = store.partition("://")
    if not is_remote(store):
        from urllib.parse import unquote, urlsplit

        folder = unquote(urlsplit(store).path) if separator else store
        return Path(folder).expanduser().joinpath(*key.split("/")).read_bytes()
    import obstore
    from obstore.store import from_url

    options: dict[str, Any] = {}
    endpoint = next(filter(None, map(os.environ.get, ENDPOINT_VARIABLES)), None)
    if scheme == "s3" and endpoint:
        options = {"endpoint": endpoint, "client_options": {"allow_http": endpoint.startswith("http://")}}
    return bytes(obstore.get(from_url(store, **options), key).bytes())


def unpack(data: bytes, digest: str, folder: Path) -> None:
    """Check a code package against its digest and unpack it to a folder that appears as a whole."""
    import zstandard
    from blake3 import blake3

    archive = zstandard.ZstdDecompressor().decompress(data, max_output_size=LARGEST_ARCHIVE)
    found = blake3(archive).hexdigest()
    if found != digest:
        raise ValueError(f"the code package {digest} is corrupted: its content has the digest {found}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=str(folder.parent)))
    # Releases of Python without this filter are old patches of those supported; the digest vouches for the content.
    safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(str(fresh), **safe)  # noqa: S202 - see above
    try:
        fresh.rename(folder)
    except OSError:
        # Another pod with the same folder was quicker; it has the same files.
        if not folder.is_dir():
            raise
        shutil.rmtree(str(fresh))


def code_folder(digest: str) -> Path:
    """Where the code package is unpacked, and where the runtime looks for it."""
    root = os.environ.get("AIRFLOW__MLFLOW_PROVIDER__TEMP_DIR") or tempfile.gettempdir()
    return Path(root) / f"airflow_mlflow_provider-{os.getuid()}" / "code" / digest


def fetch(launch: dict[str, Any], folder: Path, request_file: str) -> None:
    """Bring the code package, and a request that was too long for the command, to this machine."""
    if not folder.is_dir():
        unpack(read(launch["store"], f"code/{launch['code']}.tar.zst"), launch["code"], folder)
    if "request_key" in launch:
        Path(request_file).write_bytes(read(launch["store"], launch["request_key"]))


def fetch_in_child(launch: dict[str, Any], folder: Path) -> str:
    """Fetch in a process of its own and return the request, as JSON."""
    handle, request_file = tempfile.mkstemp(prefix="mlflow-request-")
    os.close(handle)
    if is_remote(launch["store"]):
        # Takes long, and is in every process forked from here; it starts no threads before it is used.
        importlib.import_module("obstore.store")
    child = os.fork()
    if child == 0:
        code = UNREADABLE_CODE
        try:
            fetch(launch, folder, request_file)
            code = 0
        except Exception as error:  # noqa: BLE001 - whatever the store's client raises; told, and ends the pod
            told = " ".join(str(error).partition("Debug source:")[0].split())
            sys.stderr.write(
                f"airflow-mlflow-provider: the step's code could not be read from {launch['store']}: "
                f"{type(error).__name__}: {told}\n"
            )
            sys.stderr.flush()
        finally:
            os._exit(code)
    for name in IMPORTED_MEANWHILE:
        importlib.import_module(name)
    status = os.waitpid(child, 0)[1]
    if status:
        sys.exit(UNREADABLE_CODE)
    request = (
        Path(request_file).read_text("utf-8") if "request_key" in launch else json.dumps(launch["request"])
    )
    Path(request_file).unlink()
    return request


def main(launch: dict[str, Any]) -> None:
    """Bring the runtime and the flow's code into this process and run the request."""
    check_python(launch["image"])
    place_runtime(launch["image"])
    check_packages(launch["image"])
    folder = code_folder(launch["code"])
    request = fetch_in_child(launch, folder)
    offer(folder / "runtime.zip", 0)
    sys.argv = ["airflow_mlflow_provider.runtime.unit", request]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # The folder that the image starts in may hold modules with the names of ours.
    sys.path[:] = [entry for entry in sys.path if entry]
    main(json.loads(sys.argv[1]))
