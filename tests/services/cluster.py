"""A Kubernetes stand-in that all workers of a test run share, and the Airflow whose steps are its pods."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.kubernetes_standin.fixture import AdminClient
from tests.kubernetes_standin.settings import PROJECT_ROOT, Image
from tests.services.airflow_database import clean_environment
from tests.services.guarded import GuardedService
from tests.services.waiting import wait_until

START_SECONDS = 30.0


class SharedCluster(GuardedService):
    """The stand-in as a service that is started once for a test run and gone with it.

    Args:
        directory: See :class:`GuardedService`.
        environment: Variables that every container has, as an image's configuration or a pod identity would give it.
    """

    kubeconfig: Path
    admin: AdminClient

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        super().__init__(directory)
        self._environment = environment

    @property
    def airflow_connection(self) -> str:
        """A value for ``AIRFLOW_CONN_KUBERNETES_DEFAULT``."""
        extra = {"kube_config_path": str(self.kubeconfig), "namespace": "default", "in_cluster": False}
        return json.dumps({"conn_type": "kubernetes", "extra": extra})

    def _launch(self) -> dict[str, Any]:
        ready = self.directory / "standin.json"
        ready.unlink(missing_ok=True)
        image = Image(environment={**Image().environment, **self._environment})
        command = [sys.executable, "-m", "tests.kubernetes_standin", "--ready-file", str(ready)]
        command += [
            "--state-dir",
            str(self.directory / "state"),
            "--options",
            json.dumps({"images": [asdict(image)]}),
        ]
        self._guard({"standin": command}, {**clean_environment(), "PYTHONPATH": str(PROJECT_ROOT)})
        wait_until(
            lambda: self.check_alive() and ready.exists(),
            START_SECONDS,
            lambda: f"the Kubernetes stand-in to answer\n{self.log_tail('standin')}",
        )
        facts: dict[str, Any] = json.loads(ready.read_text())
        return facts

    def _joined(self, facts: dict[str, Any]) -> None:
        self.kubeconfig = Path(facts["kubeconfig"])
        self.admin = AdminClient(facts["url"], facts["admin_token"], facts["certificate"])
