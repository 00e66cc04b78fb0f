"""What several modules of this folder run their flows on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kubernetes_standin import KubernetesStandin


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesStandin]:
    """A cluster for this module."""
    with KubernetesStandin(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
