"""What ``self`` of a running step is bound to: inherited artifacts, the foreach stack, the transition asked for."""

from __future__ import annotations

import difflib
import types
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import (
    MetaflowException,
    UnpicklableArtifactException,
    UnreadableArtifactException,
)
from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE, FlowSpec
from airflow_mlflow_provider.flow.transition import NextCall
from airflow_mlflow_provider.runtime.missing import MissingArtifact
from airflow_mlflow_provider.store.artifacts import ArtifactReader, ArtifactWriter
from airflow_mlflow_provider.store.records import ArtifactEntry, Frame

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.includefile import IncludedFile, IncludeFile

_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, range)
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodWrapperType,
)

# Stands among the names that were read for "all of them", as merging does.
EVERYTHING = "*"

Unreadable = Callable[[UnreadableArtifactException, str], UnreadableArtifactException]


class Lookups(NamedTuple):
    """What is seldom needed, as by messages, and looked up when it is.

    Attributes:
        set_in: Gives the step that last set an inherited artifact.
        unreadable: Makes the error to raise of the one that reading an artifact has raised.
        setters: Gives the steps that set an artifact.
        private: Private artifacts that are not stored but follow from the task's record, by name.
    """

    set_in: Callable[[str], str | None] = lambda name: None
    unreadable: Unreadable = lambda error, name: error
    setters: Callable[[str], list[str]] = lambda name: []
    private: Mapping[str, Callable[[], Any]] = {}


class BoundTask:
    """Implements :class:`~airflow_mlflow_provider.flow.spec.RunningTask` on a table of artifacts.

    Args:
        step_name: The step that runs.
        reader: Reads artifacts.
        inherited: Artifacts visible at the start, by name.
        frames: The foreach stack.
        where: Flow, run, step and task, for errors.
        reads: Receives the names of the artifacts that are read.
        files: Parameters that are files, by attribute; of these, what is in the file is loaded.
        is_join: Whether the step is a join.
        lookups: What messages tell.
    """

    def __init__(
        self,
        step_name: str,
        reader: ArtifactReader,
        inherited: Mapping[str, ArtifactEntry],
        frames: Sequence[Frame] = (),
        where: Mapping[str, Any] | None = None,
        reads: set[str] | None = None,
        files: Mapping[str, IncludeFile] = {},
        is_join: bool = False,
        lookups: Lookups = Lookups(),  # noqa: B008 - immutable
    ) -> None:
        self.step_name = step_name
        self.next_call: NextCall | None = None
        self.last_line: int | None = None
        self.frames = tuple(frames)
        self.reads = set() if reads is None else reads
        self.set_in = lookups.set_in
        self._is_join = is_join
        self._lookups = lookups
        self._reader = reader
        self._files = files
        self.inherited = inherited
        self._where = dict(where or {})
        self._loaded: dict[str, Any] = {}
        self._elements: dict[int, Any] = {}

    def load(self, name: str) -> Any:
        """The inherited artifact ``name``; it is read from the store at most once.

        Raises:
            AttributeError: Nothing of this name was inherited.
            UnreadableArtifactException: A module that the value needs is missing here.
        """
        if name in self._loaded:
            return self._loaded[name]
        if name in self._lookups.private and name not in self.inherited:
            self._loaded[name] = self._lookups.private[name]()
            return self._loaded[name]
        # That a name is absent is something the step has learnt, too.
        if not name.startswith("__"):
            self.reads.add(name)
        entry = self.inherited.get(name)
        if entry is None:
            raise MissingArtifact(self._absent(name), lambda: self._lookups.setters(name))
        try:
            value = self._reader.load(name, entry, self._where)
        except UnreadableArtifactException as error:
            raise self._lookups.unreadable(error, name) from error.__cause__
        if name in self._files and value is not None:
            value = self._content(self._files[name], value)
        self._loaded[name] = value
        return value

    def has(self, name: str) -> bool:
        """Whether ``name`` was inherited."""
        self.reads.add(name)
        return name in self.inherited

    def forget(self, name: str) -> bool:
        """Inherit ``name`` no more: the steps after this one do not see it. Whether it was inherited."""
        if name not in self.inherited:
            return False
        self.inherited = {other: entry for other, entry in self.inherited.items() if other != name}
        self._loaded.pop(name, None)
        return True

    def stand_in(self, flow: FlowSpec, values: Mapping[str, Any]) -> None:
        """Let values stand for artifacts, parameters and configs, as if they had been inherited.

        Args:
            flow: The instance whose step is about to run.
            values: The values by name; artifacts among them count as set by the step.
        """
        for name, value in values.items():
            self._loaded[name] = value
            if not hasattr(vars(type(flow)).get(name), "__set__"):
                flow.__dict__[name] = value

    @property
    def index(self) -> int | None:
        """0-based index of the innermost frame."""
        return self.frames[-1].index if self.frames else None

    @property
    def input(self) -> Any:
        """Element of the innermost frame, read from its own place in the store."""
        return self._element(len(self.frames) - 1) if self.frames else None

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """``(index, num_splits, value)`` for each frame, outermost first; a gang's value is ``None``."""
        return [(f.index, f.num_splits, self._element(depth)) for depth, f in enumerate(self.frames)]

    def merge(
        self, flow: Any, inputs: Iterable[Any], exclude: Sequence[str] | None, include: Sequence[str] | None
    ) -> None:
        """See :func:`airflow_mlflow_provider.runtime.merge.merge_artifacts`.

        Raises:
            MetaflowException: The step is not a join.
        """
        if not self._is_join:
            raise MetaflowException(
                f"merge_artifacts() was called in step {self.step_name}, which is not a join.",
                fix="Call it in a step with `inputs`, as self.merge_artifacts(inputs).",
                where=self._where,
            )
        from airflow_mlflow_provider.runtime.merge import merge_artifacts

        self.reads.add(EVERYTHING)
        adopted = merge_artifacts(flow, self.step_name, self.inherited, inputs, exclude, include)
        self.inherited = {**self.inherited, **adopted}

    def save(self, flow: FlowSpec, writer: ArtifactWriter) -> dict[str, ArtifactEntry]:
        """Store what the step set or changed, and return the table of all artifacts.

        Raises:
            UnpicklableArtifactException: A value cannot be stored.
        """
        table = dict(self.inherited)
        for name, value in vars(flow).items():
            if name == TASK_ATTRIBUTE or self._unchanged(name, value):
                continue
            if isinstance(value, _FUNCTIONS):
                self._not_stored(flow, name, value)
                continue
            table[name] = writer.add(name, value, previous=self.inherited.get(name))
        return table

    def _unchanged(self, name: str, value: Any) -> bool:
        if name not in self._loaded or self._loaded[name] is not value:
            return False
        return isinstance(value, _IMMUTABLE) or (name in self._lookups.private and name not in self.inherited)

    def _content(self, parameter: IncludeFile, value: IncludedFile) -> Any:
        from airflow_mlflow_provider.runtime.included_files import kept_bytes

        return parameter.load(value.descriptor, lambda url: kept_bytes(self._reader.store, url))

    def _element(self, depth: int) -> Any:
        if depth not in self._elements:
            values = self.frames[depth].element
            self._elements[depth] = None if values is None else self._reader.element(values, 0)
        return self._elements[depth]

    def _absent(self, name: str) -> str:
        near = difflib.get_close_matches(name, [n for n in self.inherited if not n.startswith("_")], n=3)
        hint = f" Close: {', '.join(near)}." if near else ""
        place = "/".join(str(v) for v in self._where.values())
        return f"Artifact '{name}' is not set: no step before {self.step_name} set it ({place}).{hint}"

    def _not_stored(self, flow: FlowSpec, name: str, value: Any) -> None:
        policy = get("unpersisted_artifacts")
        text = f"self.{name} of step {self.step_name} is a {type(value).__name__} and is not stored."
        fix = "Keep it at module level, or wrap it in an instance."
        if policy == "error":
            raise UnpicklableArtifactException(text, fix=fix, where={**self._where, "artifact": name})
        if policy == "warn":
            # At the step, not here: that is the code that its author can change.
            code = getattr(type(flow), self.step_name).__code__
            warnings.warn_explicit(f"{text} {fix}", UserWarning, code.co_filename, code.co_firstlineno)
