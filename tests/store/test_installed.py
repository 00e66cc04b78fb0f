"""Serializers that other packages install."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.exception import (
    MetaflowException,
    UnpicklableArtifactException,
    UnreadableArtifactException,
)
from airflow_mlflow_provider.serializers import ArtifactSerializer, SerializationFormat, SerializationMetadata
from airflow_mlflow_provider.store._installed import serializers
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.artifacts import ArtifactReader, ArtifactWriter
from airflow_mlflow_provider.testing.serializers import SerializerConformance

Install = Callable[..., None]


class Celsius:
    """A value that only its serializer can store."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Celsius) and other.degrees == self.degrees

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        raise TypeError("not by pickle")


class CelsiusSerializer(ArtifactSerializer):
    TYPE = "celsius"
    set_up = 0

    @classmethod
    def setup_imports(cls, context: Any = None) -> None:
        cls.set_up += 1

    @classmethod
    def can_serialize(cls, obj: Any) -> bool:
        return isinstance(obj, Celsius)

    @classmethod
    def can_deserialize(cls, metadata: SerializationMetadata) -> bool:
        return metadata.encoding == cls.TYPE

    @classmethod
    def serialize(cls, obj: Any, format: SerializationFormat = SerializationFormat.STORAGE) -> Any:
        if format is SerializationFormat.WIRE:
            return repr(obj.degrees)
        data = repr(obj.degrees).encode()
        return [data, b"padding" * 100], SerializationMetadata(
            "Celsius", len(data) + 700, cls.TYPE, {"unit": "°C"}
        )

    @classmethod
    def deserialize(
        cls, data: Any, metadata: Any = None, format: SerializationFormat = SerializationFormat.STORAGE
    ) -> Any:
        if format is SerializationFormat.WIRE:
            return Celsius(float(data))
        assert metadata.serializer_info == {"unit": "°C"}
        assert bytes(data[1]) == b"padding" * 100
        return Celsius(float(bytes(data[0])))


class Earlier(CelsiusSerializer):
    TYPE = "earlier"
    PRIORITY = 5


class Texts(CelsiusSerializer):
    TYPE = "texts"

    @classmethod
    def serialize(cls, obj: Any, format: SerializationFormat = SerializationFormat.STORAGE) -> Any:
        return "text"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install packages with the entry points given, as files like those pip writes."""
    numbers = itertools.count()

    def install(*values: str, group: str = "airflow_mlflow_provider.serializers") -> None:
        number = next(numbers)
        folder = tmp_path / f"site{number}"
        info = folder / f"degrees{number}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: degrees{number}\nVersion: 1.0\n")
        entries = "".join(f"e{index} = {value}\n" for index, value in enumerate(values))
        (info / "entry_points.txt").write_text(f"[{group}]\n{entries}")
        monkeypatch.syspath_prepend(folder)

    return install


class TestConformance(SerializerConformance):
    serializer = CelsiusSerializer
    values = (Celsius(20.5), Celsius(-3))

    @staticmethod
    def same(a: Any, b: Any) -> bool:
        return bool(a == b)


def test_an_installed_serializer_stores_and_reads_its_type(install: Install, local: Store) -> None:
    writer = ArtifactWriter(local, "pack")
    with pytest.raises(UnpicklableArtifactException):
        writer.add("t", Celsius(1))
    install(f"{__name__}:CelsiusSerializer")
    entry = writer.add("t", Celsius(21.5))
    writer.flush()
    assert entry.codec == "celsius"
    assert ArtifactReader(local).load("t", entry) == Celsius(21.5)
    assert serializers() is serializers()


def test_the_lower_priority_is_asked_first(install: Install) -> None:
    install(f"{__name__}:CelsiusSerializer")
    install(f"{__name__}:Earlier")
    assert serializers() == (Earlier, CelsiusSerializer)


def test_entry_points_of_other_groups_are_not_loaded(install: Install) -> None:
    install("no_such_module:X", group="airflow_mlflow_provider.secrets")
    assert serializers() == ()


def test_plain_values_look_for_no_serializers(install: Install, memory: Store) -> None:
    install("no_such_module:X")
    writer = ArtifactWriter(memory, "pack")
    for value in (1, "a", [1], {"a": 1}, None, b"x"):
        writer.add("x", value)
    with pytest.raises(MetaflowException, match=r"no_such_module:X.*package 'degrees0' cannot be loaded"):
        writer.add("x", Celsius(1))


@pytest.mark.parametrize("value", ["Celsius", "ArtifactSerializer"])
def test_what_is_no_serializer_is_refused(install: Install, value: str) -> None:
    install(f"{__name__}:{value}")
    with pytest.raises(MetaflowException, match="is not an ArtifactSerializer with a TYPE"):
        serializers()


def test_a_serializer_that_gives_text_for_storage_is_refused(install: Install, memory: Store) -> None:
    install(f"{__name__}:Texts")
    with pytest.raises(MetaflowException, match="'texts' gave a text"):
        ArtifactWriter(memory, "pack").add("x", Celsius(1))


def test_an_uninstalled_serializer_is_named(
    install: Install, memory: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = [*sys.path]
    install(f"{__name__}:CelsiusSerializer")
    writer = ArtifactWriter(memory, "pack")
    entry = writer.add("t", Celsius(1))
    writer.flush()
    monkeypatch.setattr(sys, "path", path)
    with pytest.raises(UnreadableArtifactException, match="no serializer 'celsius' is installed"):
        ArtifactReader(memory).load("t", entry)
