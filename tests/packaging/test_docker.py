"""The compose file and the images hang together: what `docker compose config` cannot see, and machines without Docker."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE = DOCKER / "compose.yaml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def read_env(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for volume in service.get("volumes", []):
        source, target = volume.split(":")[:2]
        pairs.append((source, target))
    return pairs


def test_every_variable_has_a_line_in_the_example_and_every_line_is_used() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", COMPOSE.read_text()))
    assert used == set(read_env(DOCKER / ".env.example"))


def test_no_secret_is_written_into_the_compose_file() -> None:
    secrets = {name for name, value in read_env(DOCKER / ".env.example").items() if value == "change-me"}
    defaults = dict(re.findall(r"\$\{([A-Z0-9_]+):-([^}]*)\}", COMPOSE.read_text()))
    assert secrets & set(defaults) == set()


def test_a_service_waits_only_for_what_the_other_one_can_reach(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for the health of {other}"
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert services[other]["restart"] == "no", f"{name} waits for the end of {other}"


def test_every_lasting_service_has_a_health_check(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert ("healthcheck" in service) == (service["restart"] != "no"), name


def test_every_mount_is_a_declared_volume_or_exists_in_the_checkout(compose: dict[str, Any]) -> None:
    sources = {source for service in compose["services"].values() for source, _ in mounts(service)}
    folders = {source for source in sources if source.startswith(".")}
    assert sources - folders == set(compose["volumes"])
    assert [source for source in sorted(folders) if not (DOCKER / source).exists()] == []


def test_the_components_of_airflow_share_one_environment_and_the_dags_folder(compose: dict[str, Any]) -> None:
    shared = compose["x-airflow-environment"]
    for name in ("prepare", "deploy", "api-server", "scheduler", "dag-processor", "triggerer"):
        service = compose["services"][name]
        assert shared.items() <= service["environment"].items()
        if name != "prepare":
            assert ("dags", "/opt/airflow/dags") in mounts(service)


def test_no_port_is_open_to_other_machines(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_images_are_pinned_to_a_version(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()} - {"flows/airflow:latest"}
    assert all(re.fullmatch(r"[a-z/]+:[0-9][0-9.]*", image) for image in images), images


def test_the_build_of_the_airflow_image_finds_what_it_copies(compose: dict[str, Any]) -> None:
    build = compose["services"]["prepare"]["build"]
    context = (DOCKER / build["context"]).resolve()
    dockerfile = (context / build["dockerfile"]).read_text()
    ignored = (context / ".dockerignore").read_text().splitlines()
    for line in dockerfile.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (context / source).exists()
                assert f"!{source}" in ignored


def test_the_airflow_image_is_the_version_that_is_tested() -> None:
    constraints = (DOCKER.parent / ".ci/constraints.txt").read_text()
    tested = re.search(r"^apache-airflow==([0-9.]+)$", constraints, re.MULTILINE)
    assert tested
    assert f"ARG AIRFLOW_VERSION={tested[1]}\n" in (DOCKER / "airflow/Dockerfile").read_text()


@pytest.mark.parametrize("image", ["step", "airflow"])
def test_an_image_does_not_run_as_root(image: str) -> None:
    lines = (DOCKER / image / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    # Airflow's own image ends as its user; it may not be changed back.
    assert users == (["10001:10001"] if image == "step" else [])


def test_make_env_fills_in_every_secret_and_leaves_an_existing_file_alone(tmp_path: Path) -> None:
    for name in ("make-env", ".env.example"):
        shutil.copy(DOCKER / name, tmp_path)
    subprocess.run([str(tmp_path / "make-env")], check=True, timeout=30)
    made = read_env(tmp_path / ".env")
    assert made.keys() == read_env(DOCKER / ".env.example").keys()
    assert "change-me" not in made.values()
    Fernet(made["AIRFLOW_FERNET_KEY"])
    assert re.fullmatch(r"[A-Za-z0-9_-]+", made["POSTGRES_PASSWORD"])
    # The shortest limits among S3 servers that let the keys be chosen (MinIO): 20 and 40 characters.
    assert len(made["S3_ACCESS_KEY"]) <= 20
    assert len(made["S3_SECRET_KEY"]) <= 40
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    subprocess.run([str(tmp_path / "make-env")], check=True, timeout=30)
    assert read_env(tmp_path / ".env") == made
