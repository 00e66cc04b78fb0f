"""Artifact serializers that other packages add.

Subclass :class:`ArtifactSerializer` in an installed package and name the class under the entry-point group
``airflow_mlflow_provider.serializers``. It is found when a value or an artifact is met that the built-in codecs of
numbers, text, containers and NumPy arrays do not cover, and asked in the order of ``PRIORITY``.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum
from typing import Any, ClassVar


class SerializationFormat(str, Enum):
    """What serialised data is for.

    Attributes:
        STORAGE: Byte strings for the artifact store.
        WIRE: One text, for a command line or a message.
    """

    STORAGE = "storage"
    WIRE = "wire"


@dataclasses.dataclass(frozen=True)
class SerializationMetadata:
    """What is kept with serialised data to read it back.

    Attributes:
        obj_type: Qualified name of the value's type.
        size: Length of the data in bytes.
        encoding: Which serializer reads it; by convention its ``TYPE``.
        serializer_info: Anything else it needs, as JSON.
    """

    obj_type: str
    size: int
    encoding: str
    serializer_info: dict[str, Any] = dataclasses.field(default_factory=dict)


class ArtifactSerializer(ABC):
    """How values of some types are stored. Its methods are class methods and free of side effects.

    Attributes:
        TYPE: Its name, unique among those installed; stored with each artifact, so it never changes.
        PRIORITY: Lower is asked first. Pickle, which takes anything, has 9999.
    """

    TYPE: ClassVar[str]
    PRIORITY: ClassVar[int] = 100

    @classmethod
    def setup_imports(cls, context: Any = None) -> None:
        """Import what the other methods need; called once, before any of them."""
        return

    @classmethod
    @abstractmethod
    def can_serialize(cls, obj: Any) -> bool:
        """Whether this serializer takes ``obj``; asked often, so it must be quick."""

    @classmethod
    @abstractmethod
    def can_deserialize(cls, metadata: SerializationMetadata) -> bool:
        """Whether this serializer reads data stored with ``metadata``."""

    @classmethod
    @abstractmethod
    def serialize(
        cls, obj: Any, format: SerializationFormat = SerializationFormat.STORAGE
    ) -> tuple[Sequence[Any], SerializationMetadata] | str:
        """Turn a value into data.

        Returns:
            For ``STORAGE`` buffers (anything with the buffer protocol) and their metadata; for ``WIRE`` a text.

        Raises:
            NotImplementedError: There is no such form.
        """

    @classmethod
    @abstractmethod
    def deserialize(
        cls,
        data: Sequence[Any] | str,
        metadata: SerializationMetadata | None = None,
        format: SerializationFormat = SerializationFormat.STORAGE,
    ) -> Any:
        """Turn data back into the value.

        Args:
            data: What :meth:`serialize` gave; for ``STORAGE`` writable ``memoryview`` objects, 64-byte aligned, whose
                memory is the value's to keep.
            metadata: What was stored with it.
            format: Which form ``data`` has.
        """
