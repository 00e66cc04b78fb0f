"""One file of settings (``airflow.cfg`` or a profile), read when it exists and again only when it has changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlflow_provider.exception import MetaflowConfigError

if TYPE_CHECKING:
    from configparser import ConfigParser


class ConfigurationFile:
    """The sections and options of one file."""

    def __init__(self, path: Path, parser: ConfigParser) -> None:
        self.path = path
        self._parser = parser

    def text(self, section: str, option: str) -> str | None:
        """Return the text of an option, ``None`` where the file has none.

        Raises:
            MetaflowConfigError: The text refers (``%(name)s``) to something that is not there.
        """
        from configparser import InterpolationError

        try:
            return self._parser.get(section, option, fallback=None)
        except InterpolationError as error:
            raise MetaflowConfigError(
                f"The option {option!r} in section [{section}] of {self.path} cannot be read: {error}.",
                fix="Write `%%` for a percent sign.",
                where={"key": option, "source": str(self.path)},
            ) from error

    def options(self, section: str) -> Sequence[str]:
        """Return the names of the options that a section itself sets."""
        if not self._parser.has_section(section):
            return ()
        return [name for name in self._parser.options(section) if name not in self._parser.defaults()]


def load(path: Path) -> ConfigurationFile | None:
    """Return the file as it is now; ``None`` where there is none.

    Raises:
        MetaflowConfigError: The file is there but cannot be read as a configuration file.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    return _parse(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _parse(path: Path, _modified_ns: int, _size: int) -> ConfigurationFile:
    import configparser

    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise _unreadable(path, error) from error
    return ConfigurationFile(path, parser)


def _unreadable(path: Path, error: Exception) -> MetaflowConfigError:
    reason = " ".join(str(error).split())
    return MetaflowConfigError(
        f"The configuration file {path} cannot be read: {reason}.",
        fix="Mend the file, or its permissions.",
        where={"source": str(path)},
    )
