"""``@package_sources``: more files for the code package."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, overload

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.decorators.attributes import Fields, anything, listing
from airflow_mlflow_provider.flow.decorators.base import FlowClass, FlowDecorator, Problem, decorate_flow

_SOURCES = "a path, or a list of paths"
_ARCNAME = "a relative path without `..`"


class PackageSourcesDecorator(FlowDecorator):
    """Put more files into the code package; see :func:`package_sources`."""

    name = "package_sources"
    allow_multiple = True
    fields: ClassVar[Fields] = {
        "sources": anything(None, _SOURCES),
        "arcname": anything(None, _ARCNAME),
        "suffixes": listing(None),
    }

    def check(self) -> Iterator[Problem]:
        """Refuse no sources, and names that would leave the package."""
        sources = self.attributes["sources"]
        paths = [sources] if isinstance(sources, (str, Path)) else sources
        if (
            not isinstance(paths, (list, tuple))
            or not paths
            or not all(isinstance(p, (str, Path)) for p in paths)
        ):
            yield self.bad_value("sources", sources, _SOURCES)
            paths = []
        self.attributes["sources"] = [str(path) for path in paths]
        arcname = self.attributes["arcname"]
        if arcname is not None and not _is_safe(arcname):
            yield self.bad_value("arcname", arcname, _ARCNAME)

    def files(self, flow_class: type) -> Iterator[tuple[Path, str]]:
        """The files to add.

        Args:
            flow_class: The flow; its file is what relative paths are relative to.

        Yields:
            A path and its name in the package.

        Raises:
            MetaflowException: A source does not exist.
        """
        self.raise_problem()
        folder = Path(inspect.getfile(self.flow_class or flow_class)).resolve().parent
        for source in self.attributes["sources"]:
            path = (folder / source).resolve()
            if not path.exists():
                raise MetaflowException(
                    f"@package_sources: there is no file or folder {path}.",
                    self.location.line,
                    self.location.file,
                    fix=f"Correct the path {source!r}; it is relative to {folder}.",
                    where={"path": str(path)},
                )
            yield from self._files(path)

    def _files(self, path: Path) -> Iterator[tuple[Path, str]]:
        arcname = self.attributes["arcname"]
        several = len(self.attributes["sources"]) > 1
        top = PurePosixPath(path.name if arcname is None else arcname)
        if arcname is not None and several:
            top = top / path.name
        if path.is_file():
            yield path, str(top)
            return
        suffixes = self.attributes["suffixes"]
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
            if file.is_file() and not hidden and (suffixes is None or file.name.endswith(tuple(suffixes))):
                yield file, str(top / inside.as_posix())


def _is_safe(arcname: Any) -> bool:
    if not isinstance(arcname, str) or not arcname or "\\" in arcname or "\0" in arcname:
        return False
    path = PurePosixPath(arcname)
    return not path.is_absolute() and ".." not in path.parts


@overload
def package_sources(flow: FlowClass, /) -> FlowClass: ...
@overload
def package_sources(
    sources: str | Path | Sequence[str | Path] = ...,
    arcname: str | None = None,
    suffixes: Sequence[str] | None = None,
) -> Callable[[FlowClass], FlowClass]: ...
def package_sources(sources: Any = None, arcname: Any = None, suffixes: Any = None, **attributes: Any) -> Any:
    """Flow decorator: add files or folders to the code package. May stand several times.

    Args:
        sources: A path or a list of paths, relative to the flow's file.
        arcname: Name in the package; by default the source's own. With several sources, the folder that they go to.
        suffixes: Endings of the files that are taken from folders; all by default.
        attributes: There are no others.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    if isinstance(sources, type):
        return decorate_flow(PackageSourcesDecorator, sources, attributes)
    written = {"sources": sources, "arcname": arcname, "suffixes": suffixes}
    given = {name: value for name, value in written.items() if value is not None}
    return decorate_flow(PackageSourcesDecorator, None, {**given, **attributes})
