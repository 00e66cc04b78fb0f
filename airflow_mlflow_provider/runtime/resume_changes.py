"""Parameters, configs and constants that have another value in a resumed run than in its origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_mlflow_provider.plan.manifest import FlowManifest


class ChangedMembers(msgspec.Struct, frozen=True):
    """What differs, as names of attributes.

    Attributes:
        values: Parameters and configs that have another value: what has read one runs again.
        constants: Class attributes with another value, which is a change of the code: told, and run again on demand.
        added: Members that the origin had not.
    """

    values: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()

    @property
    def any(self) -> bool:
        """Whether the run needs members of its own."""
        return bool(self.values or self.constants or self.added)


def parameters_of(manifest: FlowManifest, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a run's parameters have, as JSON by name, those that nobody gave included.

    Args:
        manifest: The flow as the run has it.
        given: What the run was given.
    """
    defaults = {s.name: s.default for s in manifest.parameters if s.kind == "value" and not s.required}
    return {**defaults, **given}


def changed_members(
    new: FlowManifest, old: FlowManifest, before: Mapping[str, Any], now: Mapping[str, Any]
) -> ChangedMembers:
    """Compare a flow with what a run of it was started with.

    Args:
        new: The flow as it is now.
        old: The flow as it was.
        before: Values of the origin's parameters, as JSON by name.
        now: Values of the new run's.
    """
    attributes = {spec.name: spec.attribute for spec in new.parameters}
    known = {spec.attribute for spec in old.parameters}
    values = {
        attribute
        for name, attribute in attributes.items()
        if attribute in known and before.get(name) != now.get(name)
    }
    values |= {
        new.config_attributes.get(name, name)
        for name, value in new.configs.items()
        if name in old.configs and old.configs[name] != value
    }
    added = {attribute for attribute in attributes.values() if attribute not in known}
    added |= {new.config_attributes.get(name, name) for name in new.configs if name not in old.configs}
    constants = {name for name, digest in new.constants.items() if old.constants.get(name) != digest}
    return ChangedMembers(frozenset(values), frozenset(constants), frozenset(added))
