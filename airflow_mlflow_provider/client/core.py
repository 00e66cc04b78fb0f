"""What all objects of the client have in common: a pathspec, a store, a namespace, a parent and children."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

from airflow_mlflow_provider.client.scope import get_metadata, get_namespace, ledger_of
from airflow_mlflow_provider.exception import (
    MetaflowInvalidPathspec,
    MetaflowNamespaceMismatch,
    MetaflowNotFound,
)
from airflow_mlflow_provider.store.ledger import Ledger

Child = TypeVar("Child")


class MetaflowObject(Generic[Child]):
    """A flow, run, step, task or artifact.

    Args:
        pathspec: ``Flow``, ``Flow/run``, ``Flow/run/step``, ``Flow/run/step/task`` or ``Flow/run/step/task/artifact``.
        attempt: Another attempt than the newest done one; for tasks and artifacts only.

    Raises:
        MetaflowInvalidPathspec: The pathspec has the wrong number of components.
        MetaflowNotFound: There is no such object.
        MetaflowNamespaceMismatch: It exists, outside the active namespace.
    """

    SHAPE: ClassVar[str] = "Flow"
    TAKES_ATTEMPT: ClassVar[bool] = False

    def __init__(
        self,
        pathspec: str,
        attempt: int | None = None,
        *,
        _namespace_check: bool = True,
        _store: str | None = None,
    ) -> None:
        parts = tuple(str(pathspec).split("/"))
        if len(parts) != self.SHAPE.count("/") + 1 or not all(parts):
            raise MetaflowInvalidPathspec(
                f"{type(self).__name__}('{pathspec}'): the pathspec should look like {self.SHAPE}.",
                fix=f"Write {type(self).__name__}('{self.SHAPE}').",
                where={"pathspec": str(pathspec)},
            )
        if attempt is not None and not self._is_attempt(attempt):
            raise MetaflowNotFound(
                f"{type(self).__name__}('{pathspec}') has no attempt {attempt!r}.",
                fix="Give a whole number from 0 on, to a Task or a DataArtifact.",
                where={"pathspec": str(pathspec)},
            )
        self._parts = parts
        self._attempt = attempt
        self._namespace_check = _namespace_check
        self._namespace = get_namespace() if _namespace_check else None
        self._store = _store or get_metadata()
        self._require_existence()
        if _namespace_check and not self.is_in_namespace():
            raise self._mismatch()

    @property
    def id(self) -> str:
        """The last component of the pathspec."""
        return self._parts[-1]

    @property
    def pathspec(self) -> str:
        """The components joined by ``/``."""
        return "/".join(self._parts)

    @property
    def path_components(self) -> list[str]:
        """The components of the pathspec."""
        return list(self._parts)

    @property
    def parent(self) -> MetaflowObject[Any] | None:
        """The object that holds this one; ``None`` for a flow."""
        raise NotImplementedError

    @property
    def tags(self) -> frozenset[str]:
        """User tags and system tags."""
        return self.user_tags | self.system_tags

    @property
    def user_tags(self) -> frozenset[str]:
        """Tags that users gave the run; none for a flow."""
        return frozenset() if self.parent is None else self.parent.user_tags

    @property
    def system_tags(self) -> frozenset[str]:
        """Tags that this package gave the run; none for a flow."""
        return frozenset() if self.parent is None else self.parent.system_tags

    @property
    def created_at(self) -> datetime.datetime | None:
        """When it came to be, in local time."""
        return None

    @property
    def origin_pathspec(self) -> str | None:
        """Pathspec of what a resumed run took this object over from."""
        return None

    def is_in_namespace(self) -> bool:
        """Whether the object is in the namespace under which it was asked for."""
        # System tags first: they come with the run's record, user tags are an object of their own.
        return (
            self._namespace is None
            or self._namespace in self.system_tags
            or self._namespace in self.user_tags
        )

    def __iter__(self) -> Iterator[Child]:
        """The children, newest first; those outside the namespace are left out."""
        for child_id in self._child_ids():
            child = self._child(child_id)
            if child is not None:
                yield child

    def __getitem__(self, id: str) -> Child:
        child = self._child(str(id)) if self._has_child(str(id)) else None
        if child is None:
            raise KeyError(id)
        return child

    def __contains__(self, id: object) -> bool:
        return self._has_child(str(id))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.pathspec))

    def __repr__(self) -> str:
        attempt = "" if self._attempt is None else f", attempt={self._attempt}"
        return f"{type(self).__name__}('{self.pathspec}'{attempt})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from airflow_mlflow_provider.client.html import table

        return table(repr(self), self._facts())

    def _facts(self) -> Iterator[tuple[str, object]]:
        """What a notebook shows of the object, by name."""
        yield "created at", self.created_at

    def __getstate__(self) -> dict[str, Any]:
        return {
            "pathspec": self.pathspec,
            "attempt": self._attempt,
            "namespace": self._namespace,
            "check": self._namespace_check,
            "store": self._store,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._parts = tuple(state["pathspec"].split("/"))
        self._attempt = state["attempt"]
        self._namespace = state["namespace"]
        self._namespace_check = state["check"]
        self._store = state["store"]

    @property
    def _ledger(self) -> Ledger:
        return ledger_of(self._store)

    def _is_attempt(self, attempt: object) -> bool:
        return (
            self.TAKES_ATTEMPT and isinstance(attempt, int) and not isinstance(attempt, bool) and attempt >= 0
        )

    def _require_existence(self) -> None:
        raise NotImplementedError

    def _child_ids(self) -> Iterator[str]:
        raise NotImplementedError

    def _has_child(self, id: str) -> bool:
        return id in set(self._child_ids())

    def _child(self, id: str) -> Child | None:
        raise NotImplementedError

    def _namespaces(self) -> list[str]:
        """The tags that look like namespaces."""
        return sorted(tag for tag in self.tags if tag.partition(":")[0] in ("user", "production"))

    def _related(self, kind: type[Related], *parts: str, attempt: int | None = None) -> Related:
        """Another object of the same store, seen under the same namespace, known to exist."""
        made = kind.__new__(kind)
        made._parts = parts
        made._attempt = attempt
        made._namespace = self._namespace
        made._namespace_check = self._namespace_check
        made._store = self._store
        return made

    def _absent(self, known: str = "") -> MetaflowNotFound:
        return MetaflowNotFound(
            f"{self!r} does not exist in {self._store}." + (f" {known}" if known else ""),
            fix="Check the pathspec, and the store with metadata().",
            where={"pathspec": self.pathspec, "store": self._store},
        )

    def _mismatch(self) -> MetaflowNamespaceMismatch:
        namespaces = self._namespaces()
        switch = f"namespace({namespaces[0]!r})" if namespaces else "namespace(None)"
        return MetaflowNamespaceMismatch(
            f"{self!r} is not in the namespace {self._namespace!r}; it is in {', '.join(namespaces) or 'none'}: {switch} "
            "shows it.",
            fix=f"Switch with namespace({namespaces[0]!r}), or to all with namespace(None)."
            if namespaces
            else "Switch to all namespaces with namespace(None).",
            where={"pathspec": self.pathspec, "namespace": self._namespace},
        )


Related = TypeVar("Related", bound=MetaflowObject[Any])


def moment(seconds: float) -> datetime.datetime:
    """Unix seconds as a naive local time, as Metaflow's client gives it."""
    return datetime.datetime.fromtimestamp(seconds)  # noqa: DTZ006 - the reference's documented form
