"""The committed bundles are those that the sources give; told without Node by a hash, and with Node by building them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_mlflow_provider"
FRONTEND = PACKAGE / "frontend"
FOLDERS = ("cards/static", "plugins/static")


def hash_of(sources: list[str]) -> str:
    """The hash that ``build.mjs`` records."""
    files = sorted(
        file.relative_to(FRONTEND).as_posix()
        for source in sources
        for file in ([FRONTEND / source] if (FRONTEND / source).is_file() else (FRONTEND / source).rglob("*"))
        if file.is_file()
    )
    digest = hashlib.sha256()
    for name in files:
        content = (FRONTEND / name).read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_committed_bundle_is_made_of_the_sources_as_they_are(folder: str) -> None:
    recorded = json.loads((PACKAGE / folder / "bundle.json").read_text())
    assert recorded["sha256"] == hash_of(recorded["sources"]), "run `make ui` and commit what it writes"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_bundle_asks_nothing_of_the_net(folder: str) -> None:
    for script in (PACKAGE / folder).glob("*.js"):
        text = script.read_text()
        for host in ("cdn.", "unpkg.com", "jsdelivr", "googleapis.com"):
            assert host not in text, f"{script.name} names {host}"


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text())
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in lock["packages"].items() if name)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="building needs Node")
def test_building_gives_the_committed_bundles_byte_for_byte(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"}
    subprocess.run([ROOT / ".ci/ui", tmp_path], check=True, timeout=280, env=environment)
    for folder in FOLDERS:
        for built in (tmp_path / folder).iterdir():
            committed = PACKAGE / folder / built.name
            assert committed.read_bytes() == built.read_bytes(), f"run `make ui`: {folder}/{built.name}"
