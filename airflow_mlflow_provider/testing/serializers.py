"""The conformance suite of artifact serializers.

An :class:`~airflow_mlflow_provider.serializers.ArtifactSerializer` is tested with values of its own:

```python not-run="PolarsSerializer stands for yours"
class TestPolarsSerializer(SerializerConformance):
    serializer = PolarsSerializer
    values = (polars.DataFrame({"a": [1]}),)

    @staticmethod
    def same(a, b):
        return a.equals(b)
```
"""

# ruff: noqa: D102, S101 - the names of tests say what they show, and tests assert
from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from airflow_mlflow_provider.serializers import ArtifactSerializer, SerializationFormat, SerializationMetadata
from airflow_mlflow_provider.store.equality import same_value

__all__ = ["SerializerConformance"]


class SerializerConformance:
    """Subclass it and set the attributes.

    Attributes:
        serializer: The class under test.
        values: Values that it takes.
        others: Values that it leaves to others.
    """

    serializer: ClassVar[type[ArtifactSerializer]]
    values: ClassVar[Sequence[Any]]
    others: ClassVar[Sequence[Any]] = (None, 1, "text", [1], {"a": 1}, object())

    @staticmethod
    def same(a: Any, b: Any) -> bool:
        """Whether two values are the same; override it for types that ``same_value`` does not know."""
        return same_value(a, b)

    @pytest.fixture(autouse=True)
    def _imports(self) -> None:
        self.serializer.setup_imports()

    def test_it_has_a_name_and_a_priority_before_pickle(self) -> None:
        assert isinstance(self.serializer.TYPE, str)
        assert self.serializer.TYPE
        assert self.serializer.PRIORITY < 9999

    def test_it_takes_its_values_and_no_others(self) -> None:
        assert self.values
        assert all(self.serializer.can_serialize(value) for value in self.values)
        assert not any(self.serializer.can_serialize(value) for value in self.others)

    def test_values_come_back_from_memory_of_their_own(self) -> None:
        for value in self.values:
            blobs, metadata = self._store(value)
            data = [memoryview(bytearray(blob)) for blob in blobs]
            assert self.same(self.serializer.deserialize(data, metadata), value)

    def test_the_metadata_survives_json(self) -> None:
        for value in self.values:
            blobs, metadata = self._store(value)
            again = SerializationMetadata(**json.loads(json.dumps(vars(metadata))))
            assert again == metadata
            assert metadata.size == sum(map(len, blobs))
            assert self.serializer.can_deserialize(again)

    def test_data_of_others_is_not_claimed(self) -> None:
        foreign = SerializationMetadata("builtins.object", 0, "an encoding nobody has")
        assert not self.serializer.can_deserialize(foreign)

    def test_the_same_value_gives_the_same_bytes(self) -> None:
        for value in self.values:
            assert self._store(value) == self._store(value)

    def test_a_wire_form_is_text_that_reads_back(self) -> None:
        for value in self.values:
            try:
                text = self.serializer.serialize(value, SerializationFormat.WIRE)
            except NotImplementedError:
                continue
            assert isinstance(text, str)
            assert self.same(self.serializer.deserialize(text, format=SerializationFormat.WIRE), value)

    def _store(self, value: Any) -> tuple[list[bytes], SerializationMetadata]:
        result = self.serializer.serialize(value)
        assert not isinstance(result, str)
        blobs, metadata = result
        return [bytes(memoryview(getattr(blob, "value", blob)).cast("B")) for blob in blobs], metadata
