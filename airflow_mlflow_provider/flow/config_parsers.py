"""Parsers for configs: YAML, and the files in which Python projects list what they depend on.

The latter give what ``@pypi`` takes: ``{"packages": {name: version}, "python": version}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from airflow_mlflow_provider.exception import MetaflowException

Parser = Callable[[str], Any]

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<rest>.*)")
_SPECIFIERS = re.compile(r"\(?\s*(?P<specifiers>((===|==|~=|!=|<=|>=|<|>)\s*[^,;\s()]+\s*,?\s*)*)\)?")
_CONDA = re.compile(
    r"(?:[\w.-]+::)?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<version>(==|>=|<=|!=|~=|=|>|<| )?.*)"
)


def yaml_parser(text: str) -> Any:
    """A YAML document. Dates stay text, so that the value is one that JSON can hold.

    Raises:
        MetaflowException: It is not YAML, or PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MetaflowException(
            "The package PyYAML, which reads YAML, is not installed here.",
            fix="Install it with `pip install pyyaml`.",
        ) from error

    class Loader(yaml.SafeLoader):
        """YAML without the type of dates."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise MetaflowException(f"The text is not YAML: {error}", fix="Correct the file.") from error


def requirements_txt_parser(text: str) -> dict[str, Any]:
    """The lines of a ``requirements.txt``. A requirement called ``python`` sets the version of Python.

    Raises:
        MetaflowException: A line is an option, a path, has a marker, or is not a requirement.
    """
    return _dependencies(_requirement_lines(text), "requirements.txt")


def pyproject_toml_parser(text: str) -> dict[str, Any]:
    """``dependencies`` and ``requires-python`` of the ``[project]`` table of a ``pyproject.toml``.

    Raises:
        MetaflowException: It is not TOML, or a dependency cannot be read.
    """
    from airflow_mlflow_provider.flow import toml

    try:
        project = toml.loads(text).get("project", {})
    except toml.TOMLDecodeError as error:
        raise MetaflowException(f"The text is not TOML: {error}", fix="Correct the file.") from error
    found = _dependencies(project.get("dependencies", ()), "pyproject.toml")
    if "requires-python" in project:
        found["python"] = _version(project["requires-python"])
    return found


def conda_environment_yml_parser(text: str) -> dict[str, Any]:
    """``dependencies`` of a conda ``environment.yml``, those under ``pip`` included.

    Raises:
        MetaflowException: It is not such a file.
    """
    document = yaml_parser(text)
    entries = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise _unreadable("environment.yml", "it has no list `dependencies`")
    packages: dict[str, str] = {}
    found: dict[str, Any] = {"packages": packages}
    for entry in entries:
        if isinstance(entry, dict) and set(entry) == {"pip"}:
            packages.update(_dependencies(entry["pip"] or (), "environment.yml")["packages"])
            continue
        match = _CONDA.fullmatch(entry.strip()) if isinstance(entry, str) else None
        if match is None:
            raise _unreadable("environment.yml", f"{entry!r} is not a dependency")
        version = match["version"].strip().lstrip("=").strip()
        if match["name"] == "python":
            found["python"] = version
        else:
            packages[match["name"]] = version
    return found


def _requirement_lines(text: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", text)
    lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def _dependencies(lines: Iterable[Any], file: str) -> dict[str, Any]:
    packages: dict[str, str] = {}
    found: dict[str, Any] = {"packages": packages}
    for line in lines:
        name, version = _requirement(str(line), file)
        if name == "python":
            found["python"] = version
        else:
            packages[name] = version
    return found


def _requirement(line: str, file: str) -> tuple[str, str]:
    if line.startswith("-"):
        raise _unreadable(file, f"options such as {line!r} are not supported")
    match = _REQUIREMENT.fullmatch(line)
    if match is None:
        raise _unreadable(file, f"{line!r} is not a requirement by name")
    name = match["name"] + re.sub(r"\s", "", match["extras"] or "")
    rest = match["rest"].strip()
    if rest.startswith("@"):
        return f"{name} @ {rest[1:].strip()}", ""
    if ";" in rest:
        raise _unreadable(file, f"the environment marker of {line!r} is not supported")
    specifiers = _SPECIFIERS.fullmatch(rest)
    if specifiers is None:
        raise _unreadable(file, f"{line!r} is not a requirement")
    return name, _version(specifiers["specifiers"])


def _version(specifiers: str) -> str:
    compact = re.sub(r"\s", "", specifiers).rstrip(",")
    is_exact = compact.startswith("==") and not compact.startswith("===") and "," not in compact
    return compact[2:] if is_exact else compact


def _unreadable(file: str, reason: str) -> MetaflowException:
    return MetaflowException(
        f"The {file} cannot be read: {reason}.",
        fix="List packages by name with versions, such as `pandas>=2.2`.",
    )
