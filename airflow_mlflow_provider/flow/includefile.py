"""``IncludeFile``: a file that is read when a run starts and kept with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.dotted_name import resolve_dotted_name
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.flow.parameters import Parameter, ParameterContext

__all__ = ["DESCRIPTOR_TYPE", "MAX_INLINE_TEXT", "IncludeFile", "IncludedFile", "is_descriptor"]

DESCRIPTOR_TYPE = "included-file"
# What the trigger form of Airflow takes as text; a larger file is uploaded with `airflow trigger`.
MAX_INLINE_TEXT = 1024 * 1024
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://")
_DESCRIPTOR_SCHEMA = {
    "type": "object",
    "required": ["type", "url"],
    "properties": {
        "type": {"const": DESCRIPTOR_TYPE},
        "url": {"type": "string"},
        "is_text": {"type": "boolean"},
        "encoding": {"type": ["string", "null"]},
        "size": {"type": "integer"},
    },
}

StoreBytes = Callable[[bytes], str]
LoadBytes = Callable[[str], bytes]


class IncludedFile(msgspec.Struct, frozen=True):
    """A file kept in the store, as the raw record of a parameter holds it.

    Attributes:
        descriptor: ``type``, ``url``, ``is_text``, ``encoding`` and ``size`` (bytes).
    """

    descriptor: dict[str, Any]

    def decode(self, load_bytes: LoadBytes) -> str | bytes:
        """The content.

        Args:
            load_bytes: Gives the bytes behind the descriptor's URL.

        Raises:
            UnicodeDecodeError: It is text and not of the encoding.
        """
        data = load_bytes(self.descriptor["url"])
        if not self.descriptor.get("is_text", True):
            return data
        return data.decode(self.descriptor.get("encoding") or "utf-8")


class IncludeFile(Parameter):
    """A parameter whose value is the content of a file.

    ```python
    class Train(FlowSpec):
        stopwords = IncludeFile("stopwords", default="stopwords.txt")
    ```

    ``python flow.py run --stopwords other.txt`` reads another file. It is read once, when the run starts or the flow is deployed,
    and kept in the store; tasks never look for the file.

    Args:
        name: Name of the option.
        required: Whether a run must give a file.
        is_text: Whether the value is a ``str`` rather than ``bytes``; ``None`` means yes.
        encoding: Of text; ``None`` means UTF-8.
        help: What it is.
        parser: Turns the content into the value, when a task first reads it: a function, or its dotted name.
        default: Path of a file, or a function of a ``ParameterContext`` that gives one.
        show_default: Whether the help shows the path.
        extra: Further arguments of a ``click.option``.
    """

    KIND: ClassVar[Literal["value", "file"]] = "file"

    def __init__(
        self,
        name: str,
        required: bool | None = None,
        is_text: bool | None = None,
        encoding: str | None = None,
        help: str | None = None,
        parser: str | Callable[[Any], Any] | None = None,
        default: str | Callable[[ParameterContext], str] | None = None,
        show_default: bool | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(
            name,
            default=default,
            type=str,
            help=help,
            required=required,
            show_default=show_default,
            **extra,
            is_text=is_text,
            encoding=encoding,
            parser=parser,
        )
        self._parsed: dict[str, Any] = {}

    @property
    def is_text(self) -> bool:
        """Whether the value is text."""
        return self.extra["is_text"] is None or bool(self.extra["is_text"])

    @property
    def encoding(self) -> str:
        """Encoding of text."""
        return self.extra["encoding"] or "utf-8"

    def spec(self, context: ParameterContext) -> ParameterSpec:
        """The parameter as data; its default is the path of the file, until :meth:`store` has replaced it.

        Raises:
            ParameterFieldFailed: The function that gives the default raised.
            ParameterFieldTypeMismatch: The default is not a path.
        """
        field = super().spec(context)
        forms = [{"type": "string", "maxLength": MAX_INLINE_TEXT}, _DESCRIPTOR_SCHEMA]
        if not self.is_required:
            forms.append({"type": "null"})
        return msgspec.structs.replace(field, schema={"anyOf": forms})

    def parse(self, text: str) -> Any:
        """The path on a command line, checked.

        Raises:
            MetaflowException: It is the URL of a cloud store, or no file is there.
        """
        self._path(text)
        return text

    def check(self, value: Any) -> Any:
        """A value from ``dag_run.conf`` or a program: a descriptor, text that stands for the content, or ``None``.

        Raises:
            MetaflowException: It is none of these.
        """
        if value is None or isinstance(value, str) or is_descriptor(value):
            return super().check(value) if value is None else value
        raise self._wrong(
            f"got a {type(value).__name__}", "Give a path, the text itself, or a descriptor of a stored file."
        )

    def store(self, path: str, store_bytes: StoreBytes) -> dict[str, Any]:
        """Read the file and keep it.

        Args:
            path: Path of the file.
            store_bytes: Keeps bytes and gives their URL.

        Returns:
            The descriptor.

        Raises:
            MetaflowException: The file cannot be read, or is text of another encoding; names parameter and path.
        """
        try:
            data = self._path(path).read_bytes()
        except OSError as error:
            raise self._unreadable(path, error) from error
        return self.store_content(data, store_bytes, source=path)

    def store_content(
        self, data: str | bytes, store_bytes: StoreBytes, source: str = "the text given"
    ) -> dict[str, Any]:
        """Keep content that did not come from a file here, such as text of the trigger form.

        Args:
            data: The content.
            store_bytes: Keeps bytes and gives their URL.
            source: What errors call it.

        Returns:
            The descriptor.

        Raises:
            MetaflowException: It is text of another encoding.
        """
        content = data.encode(self.encoding) if isinstance(data, str) else data
        if self.is_text:
            self._decoded(content, source)
        return {
            "type": DESCRIPTOR_TYPE,
            "url": store_bytes(content),
            "is_text": self.is_text,
            "encoding": self.encoding if self.is_text else None,
            "size": len(content),
        }

    def load(self, descriptor: Mapping[str, Any] | None, load_bytes: LoadBytes) -> Any:
        """The value that steps see; parsed once in each process.

        Args:
            descriptor: What :meth:`store` gave, or ``None`` for no file.
            load_bytes: Gives the bytes behind a URL.

        Raises:
            MetaflowException: It cannot be decoded, or the parser failed.
        """
        if descriptor is None:
            return None
        url = str(descriptor["url"])
        if url not in self._parsed:
            data = load_bytes(url)
            content = self._decoded(data, url) if self.is_text else data
            self._parsed[url] = self._apply_parser(content, url)
        return self._parsed[url]

    def _apply_parser(self, content: Any, source: str) -> Any:
        parser = self.extra["parser"]
        if parser is None:
            return content
        name = parser if isinstance(parser, str) else getattr(parser, "__name__", repr(parser))
        try:
            function = resolve_dotted_name(parser) if isinstance(parser, str) else parser
            return function(content)
        except Exception as error:
            raise self._wrong(
                f"the parser {name} failed on {source}: {type(error).__name__}: {error}",
                "Correct the parser or the file.",
            ) from error

    def _path(self, text: str) -> Path:
        match = _URL.match(text)
        if match:
            raise self._wrong(
                f"{text} is a URL of the scheme {match['scheme']}",
                "Give the path of a file on this machine; read objects of a store in a step, with S3 or ObjectStore.",
                scheme=match["scheme"],
            )
        path = Path(text).expanduser()
        if not path.is_file():
            raise self._unreadable(text, None)
        return path

    def _unreadable(self, path: str, error: OSError | None) -> MetaflowException:
        reason = "there is no such file" if error is None else error.strerror or str(error)
        return self._wrong(
            f"{path} cannot be read: {reason}", "Give the path of a readable file on this machine.", path=path
        )

    def _decoded(self, data: bytes, source: str) -> str:
        try:
            return data.decode(self.encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise self._wrong(
                f"{source} is not text of the encoding {self.encoding}: {error}",
                "Set `encoding`, or is_text=False for bytes.",
                path=source,
            ) from error

    def _wrong(self, problem: str, fix: str, **where: str) -> MetaflowException:
        return MetaflowException(
            f"The file of the parameter '{self.name}': {problem}.",
            self.location.line,
            self.location.file,
            fix=fix,
            where=self._where(**where),
        )


def is_descriptor(value: Any) -> bool:
    """Whether a value is the descriptor of a stored file."""
    return (
        isinstance(value, Mapping)
        and value.get("type") == DESCRIPTOR_TYPE
        and isinstance(value.get("url"), str)
    )
