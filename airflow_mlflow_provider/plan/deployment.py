"""A manifest with what follows from it: what the operators of a DAG hold."""

from __future__ import annotations

from functools import cached_property

from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from airflow_mlflow_provider.plan.units import Plan, plan_units

DEFAULT_RUNTIME_LIMIT = 432_000
DEFAULT_TIMEOUT_GRACE = 60.0
DEFAULT_EXIT_HOOK_TIMEOUT = 600.0


class Deployment:
    """A deployed flow; derived values are computed once.

    Args:
        manifest: The manifest.
    """

    def __init__(self, manifest: FlowManifest) -> None:
        self.manifest = manifest

    def __str__(self) -> str:
        # Airflow stores the arguments of mapped operators as text in the serialized DAG.
        return f"{self.manifest.dag_id} {self.manifest.code.digest[:12]}".rstrip()

    @cached_property
    def plan(self) -> Plan:
        """The units of the flow."""
        return plan_units(
            self.manifest.graph,
            fuse=bool(self.manifest.settings.get("fuse")),
            sharded=self.manifest.limits.asks_for_shards,
        )

    @cached_property
    def encoded(self) -> bytes:
        """The manifest as the store keeps it."""
        return encode(self.manifest)

    @property
    def runtime_limit(self) -> float:
        """Seconds that a step without ``@timeout`` may run."""
        return float(self.manifest.settings.get("default_runtime_limit", DEFAULT_RUNTIME_LIMIT))

    @property
    def timeout_grace(self) -> float:
        """Seconds between the limit of a step and the backstops outside of its process."""
        return float(self.manifest.settings.get("timeout_grace_s", DEFAULT_TIMEOUT_GRACE))
