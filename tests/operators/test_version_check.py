"""Workers run what a deployer with the same minor version made."""

from __future__ import annotations

import msgspec
import pytest

from airflow_mlflow_provider import __version__
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.operators.version_check import check_version
from tests.dag.manifests import manifest_of


def test_another_minor_version_is_refused_and_both_are_named() -> None:
    manifest = manifest_of("linear")
    major, minor, patch = __version__.split(".")[:3]
    for same in ("", __version__, f"{major}.{minor}.{int(patch) + 7}"):
        check_version(msgspec.structs.replace(manifest, provider=same))
    other = f"{major}.{int(minor) + 1}.0"
    with pytest.raises(CommandException) as refused:
        check_version(msgspec.structs.replace(manifest, provider=other))
    assert other in str(refused.value)
    assert __version__ in str(refused.value)
