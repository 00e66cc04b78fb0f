"""Artifacts come back as they were saved, from any store, and nothing else does."""

import dataclasses
import functools
import math
import pathlib
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from airflow_mlflow_provider.exception import (
    CorruptedDataException,
    ObjectNotFound,
    UnpicklableArtifactException,
    UnreadableArtifactException,
)
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.step import step
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.artifacts import ArtifactReader, ArtifactWriter
from airflow_mlflow_provider.store.blobs import blob_key
from airflow_mlflow_provider.store.compression import Mode
from airflow_mlflow_provider.store.equality import same_value
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import ArtifactEntry
from tests.store.values import plain_values

PACK = "flows/F/runs/r/tasks/start/0/0/pack"


@dataclasses.dataclass
class Model:
    weights: Any
    children: list[Any] = dataclasses.field(default_factory=list)


class Slotted:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.Lock()


def save(store: Store, mode: Mode | None = None, /, **values: Any) -> dict[str, ArtifactEntry]:
    writer = ArtifactWriter(store, PACK, mode=mode)
    entries = {name: writer.add(name, value) for name, value in values.items()}
    writer.flush()
    return entries


def one_of_each() -> dict[str, Any]:
    random = np.random.default_rng(7)
    return {
        "number": 7,
        "text": "grüße 🙂 \ud800",
        "long_text": "abc \ud800" * 50_000,
        "long_bytes": random.bytes(400_000),
        "nested": {"a": [1, (2.5, None)], "b": {"x"}},
        "small_array": np.arange(10),
        "array": random.random(200_000),
        "zeros": np.zeros(3_000_000),
        "fortran": np.asfortranarray(random.random((300, 300))),
        "strided": random.random((300, 300))[::3, ::2],
        "objects": np.array(["a", None, 3], dtype=object),
        "structured": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        "frame": pd.DataFrame({"x": random.random(100_000), "s": ["word"] * 100_000}),
        "series": pd.Series([1, 2, 3], name="s"),
        "table": pa.table({"a": list(range(100_000)), "s": ["x"] * 100_000}),
        "batch": pa.record_batch({"a": [1, 2]}),
        "many_arrays": [random.random(1000) for _ in range(100)],
        "empty": np.array([]),
        "path": pathlib.PurePosixPath("/a/b"),
    }


def test_every_kind_of_value_comes_back_from_every_store(store: Store) -> None:
    values = one_of_each()
    entries = save(store, **values)
    loaded = ArtifactReader(store).load_many(entries)
    assert list(loaded) == list(values)
    for name, value in values.items():
        assert same_value(loaded[name], value), name
        assert same_value(ArtifactReader(store).load(name, entries[name]), value), name


@pytest.mark.parametrize("mode", ["auto", "zstd", "none"])
def test_compression_changes_nothing_but_the_length(local: Store, mode: Mode) -> None:
    values = one_of_each()
    entries = save(local, mode, **values)
    for name, value in values.items():
        assert same_value(ArtifactReader(local).load(name, entries[name]), value), name
        assert entries[name].digest == save(local, "none", **{name: value})[name].digest, name


def test_only_what_shrinks_is_compressed(local: Store) -> None:
    entries = save(local, "auto", **one_of_each())
    compressed = {name for name, entry in entries.items() if entry.compression}
    assert {"long_text", "zeros", "table"} <= compressed
    assert not compressed & {"array", "long_bytes", "number", "small_array"}
    assert entries["zeros"].length < entries["zeros"].size / 100


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=plain_values)
def test_plain_values_come_back(memory: Store, value: Any) -> None:
    entry = save(memory, x=value)["x"]
    assert same_value(ArtifactReader(memory).load("x", entry), value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    value=numpy_strategies.arrays(
        numpy_strategies.scalar_dtypes().filter(lambda dtype: dtype.isnative),
        numpy_strategies.array_shapes(max_dims=3, max_side=40),
    )
)
def test_arrays_come_back(memory: Store, value: Any) -> None:
    entry = save(memory, x=value)["x"]
    loaded = ArtifactReader(memory).load("x", entry)
    assert same_value(loaded, value)
    assert loaded.flags.writeable


@pytest.mark.parametrize("name", list(one_of_each()))
def test_a_value_that_was_only_loaded_is_not_written_again(local: Store, name: str) -> None:
    entry = save(local, **{name: one_of_each()[name]})[name]
    loaded = ArtifactReader(local).load(name, entry)
    before = list(local.list(""))
    writer = ArtifactWriter(local, PACK)
    assert writer.add(name, loaded, previous=entry) is entry
    writer.flush()
    assert list(local.list("")) == before


def test_a_change_in_place_is_noticed(local: Store) -> None:
    entries = save(local, rows=[1, 2], array=np.zeros(100_000))
    loaded = ArtifactReader(local).load_many(entries)
    loaded["rows"].append(3)
    loaded["array"][50_000] = 1
    writer = ArtifactWriter(local, PACK)
    changed = {name: writer.add(name, value, previous=entries[name]) for name, value in loaded.items()}
    writer.flush()
    assert all(changed[name].digest != entries[name].digest for name in entries)
    again = ArtifactReader(local).load_many(changed)
    assert again["rows"] == [1, 2, 3]
    assert again["array"].sum() == 1


def test_writing_to_a_loaded_array_changes_nothing_in_the_store(store: Store) -> None:
    entries = save(store, "none", large=np.arange(200_000), small=np.arange(2_000), text=["a"])
    reader = ArtifactReader(store)
    for _ in range(2):
        loaded = reader.load_many(entries)
        assert loaded["large"][0] == loaded["small"][0] == 0
        loaded["large"][:] = 99
        loaded["small"][:] = 99
        loaded["text"].append("b")
    assert same_value(
        ArtifactReader(store).load_many(entries),
        {"large": np.arange(200_000), "small": np.arange(2_000), "text": ["a"]},
    )


@pytest.mark.parametrize("backend", ["local", "s3"])
def test_large_arrays_are_mapped_and_aligned(backend: str, request: pytest.FixtureRequest) -> None:
    store: Store = request.getfixturevalue(backend)
    entries = save(store, "none", pair=[np.arange(100_001, dtype="i1"), np.arange(200_000.0)])
    for array in ArtifactReader(store).load("pair", entries["pair"]):
        assert array.ctypes.data % 64 == 0
        assert not array.flags.owndata


def test_saving_and_loading_a_large_array_makes_no_second_copy(local: Store) -> None:
    array = np.random.default_rng(1).random(8_000_000)
    tracemalloc.start()
    try:
        entry = save(local, "auto", a=array)["a"]
        assert tracemalloc.get_traced_memory()[1] < array.nbytes / 8
        tracemalloc.reset_peak()
        loaded = ArtifactReader(local).load("a", entry)
        assert tracemalloc.get_traced_memory()[1] < array.nbytes / 8
    finally:
        tracemalloc.stop()
    assert loaded[-1] == array[-1]


def test_small_artifacts_of_an_attempt_are_one_object(store: Store) -> None:
    entries = save(store, **{f"x{number}": [number] * 10 for number in range(1000)})
    assert [item.key for item in store.list("")] == [entries["x0"].pack]
    assert ArtifactReader(store).load_many(entries)["x999"] == [999] * 10


def test_a_pack_that_grows_too_large_is_continued_in_another(local: Store) -> None:
    values = {f"x{number}": np.random.default_rng(number).bytes(200_000) for number in range(100)}
    entries = save(local, "none", **values)
    packs = {entry.pack for entry in entries.values()}
    assert 1 < len(packs) < 5
    assert ArtifactReader(local).load_many(entries) == values


def test_two_writers_of_one_attempt_do_not_disturb_each_other(local: Store) -> None:
    first, second = ArtifactWriter(local, PACK), ArtifactWriter(local, PACK)
    entries = [first.add("x", "of the first"), second.add("x", "of the second")]
    first.flush()
    second.flush()
    assert [ArtifactReader(local).load("x", entry) for entry in entries] == ["of the first", "of the second"]


def test_equal_values_are_stored_once(local: Store) -> None:
    array = np.random.default_rng(1).random(100_000)
    entries = save(local, a=array, b=array.copy(), c=1, d=1)
    assert entries["a"] == entries["b"]
    assert entries["c"] == entries["d"]
    modified = [item.modified for item in local.list("blobs")]
    assert len(modified) == 1
    save(local, a=array)
    assert [item.modified for item in local.list("blobs")] == modified


def test_classes_of_the_main_module_are_pickled_by_name(
    local: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import __main__

    source = "class Animal:\n    def __init__(self, f): self.f = f\n    class Inner: pass\n"
    monkeypatch.setattr(__main__, "Animal", None, raising=False)
    exec(source, vars(__main__))
    animal = vars(__main__)["Animal"]
    # The lambda makes the plain pickler give up; the class must still go by name.
    values = {"plain": animal(1), "with_lambda": [animal(lambda: 5), animal.Inner()], "the_class": animal}
    loaded = ArtifactReader(local).load_many(save(local, **values))
    assert isinstance(loaded["plain"], animal)
    assert isinstance(loaded["with_lambda"][0], animal)
    assert loaded["with_lambda"][0].f() == 5
    assert isinstance(loaded["with_lambda"][1], animal.Inner)
    assert loaded["the_class"] is animal


def test_lambdas_closures_and_local_classes_are_pickled_by_value(local: Store) -> None:
    offset = 10

    class Local:
        def value(self) -> int:
            return offset

    def closure(x: int) -> int:
        return x + offset

    loaded = ArtifactReader(local).load_many(
        save(local, f=lambda x: x * 2, g=closure, o=Local(), p=functools.partial(closure, 1))
    )
    assert (loaded["f"](3), loaded["g"](3), loaded["o"].value(), loaded["p"]()) == (6, 13, 10, 11)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (threading.Lock(), "model (_thread.lock)"),
        ([1, {"m": threading.Lock()}], "model[1]['m'] (_thread.lock)"),
        (Model(None, [1, 2, Model(threading.Lock())]), "model.children[2].weights (_thread.lock)"),
        ({"s": Slotted()}, "model['s'].lock (_thread.lock)"),
        ((i for i in [1]), "model (generator)"),
    ],
    ids=["itself", "container", "attribute", "slot", "generator"],
)
def test_what_cannot_be_stored_is_named(local: Store, value: Any, path: str) -> None:
    with pytest.raises(UnpicklableArtifactException) as caught:
        ArtifactWriter(local, PACK).add("model", value)
    assert f"The artifact 'model' cannot be stored: {path} cannot be pickled" in str(caught.value)
    assert caught.value.fix
    assert caught.value.where["artifact"] == "model"


def test_a_file_in_a_closure_is_named(local: Store, tmp_path: Path) -> None:
    lock = threading.Lock()

    def guarded() -> Any:
        return lock

    with pytest.raises(UnpicklableArtifactException, match=r"model\.closure\(lock\) \(_thread\.lock\)"):
        ArtifactWriter(local, PACK).add("model", guarded)


class Tiny(FlowSpec):
    @step
    def start(self) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


@pytest.mark.parametrize("wrap", [lambda flow: flow, lambda flow: {"me": [flow]}, lambda flow: lambda: flow])
def test_the_flow_itself_is_refused_with_what_to_do_instead(local: Store, wrap: Callable[[Any], Any]) -> None:
    with pytest.raises(UnpicklableArtifactException) as caught:
        ArtifactWriter(local, PACK).add("whole", wrap(Tiny(use_cli=False)))
    assert str(caught.value).startswith("The artifact 'whole' cannot be stored: whole")
    assert "`self`" in str(caught.value)
    assert "Store the values that are needed" in caught.value.fix


def test_a_value_nested_too_deeply_says_so(local: Store) -> None:
    value: list[Any] = []
    for _ in range(200_000):
        value = [value]
    with pytest.raises(UnpicklableArtifactException) as caught:
        ArtifactWriter(local, PACK).add("deep", value)
    assert "flatter" in caught.value.fix


def corrupt(store: Store, key: str, change: Callable[[bytearray], None]) -> None:
    data = bytearray(store.get(key))
    change(data)
    store.put(key, bytes(data))


def flip(data: bytearray) -> None:
    data[len(data) // 2] ^= 1


def cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


def empty(data: bytearray) -> None:
    data.clear()


@pytest.mark.parametrize("damage", [flip, cut, empty])
@pytest.mark.parametrize("name", ["packed", "blob", "compressed", "compressed_blob"])
def test_damaged_bytes_are_detected_and_named(
    local: Store, damage: Callable[[bytearray], None], name: str
) -> None:
    random = np.random.default_rng(3)
    value = {
        "packed": list(range(1000)),
        "blob": random.random(100_000),
        "compressed": random.integers(0, 9, 20_000).tolist(),
        "compressed_blob": random.integers(0, 3, 9_000_000),
    }[name]
    entry = save(local, **{name: value})[name]
    assert bool(entry.compression) == name.startswith("compressed")
    key = entry.pack or blob_key(entry.digest, entry.compression)
    corrupt(local, key, damage)
    with pytest.raises(CorruptedDataException) as caught:
        ArtifactReader(local).load(name, entry, {"step": "start"})
    assert f"'{name}'" in str(caught.value)
    assert key in str(caught.value)
    assert caught.value.where["artifact"] == name
    assert caught.value.where["step"] == "start"
    if not entry.compression:
        assert entry.digest in str(caught.value)


def test_a_lost_object_is_named(store: Store) -> None:
    entry = save(store, "none", array=np.arange(200_000))["array"]
    store.delete([blob_key(entry.digest)])
    with pytest.raises(ObjectNotFound, match=entry.digest):
        ArtifactReader(store).load("array", entry)


def test_a_missing_module_is_named(local: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone_tomorrow.py").write_text("class Thing: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import sys

    import gone_tomorrow  # type: ignore[import-not-found]

    entry = save(local, thing=gone_tomorrow.Thing())["thing"]
    (tmp_path / "gone_tomorrow.py").unlink()
    monkeypatch.delitem(sys.modules, "gone_tomorrow")
    with pytest.raises(UnreadableArtifactException) as caught:
        ArtifactReader(local).load("thing", entry, {"step": "start"})
    assert "'thing' (gone_tomorrow.Thing)" in str(caught.value)
    assert "the module 'gone_tomorrow' is not installed" in str(caught.value)
    assert caught.value.where == {
        "artifact": "thing",
        "step": "start",
        "type": "gone_tomorrow.Thing",
        "module": "gone_tomorrow",
    }


def test_a_codec_that_is_not_installed_is_named(local: Store) -> None:
    entry = msgspec.structs.replace(save(local, x=[1] * 5000)["x"], codec="parquet")
    with pytest.raises(UnreadableArtifactException, match="serializer 'parquet'"):
        ArtifactReader(local).load("x", entry)


def test_each_element_of_a_foreach_is_read_alone(store: Store) -> None:
    values = [
        1,
        "two",
        None,
        np.arange(3_000),
        {"a": [5]},
        np.arange(300_000.0),
        b"x" * 300_000,
        pd.DataFrame({"a": [1]}),
    ]
    writer = ArtifactWriter(store, PACK)
    split = writer.add_values("rows", values)
    writer.flush()
    assert len(split.offsets) == len(values) + 1
    for index, value in enumerate(values):
        assert same_value(ArtifactReader(store).element(split, index), value)
    for index in (-1, len(values)):
        with pytest.raises(IndexError):
            ArtifactReader(store).element(split, index)


def test_the_elements_of_an_empty_foreach_are_none(local: Store) -> None:
    writer = ArtifactWriter(local, PACK)
    split = writer.add_values("rows", [])
    writer.flush()
    assert split.offsets == (0,)
    with pytest.raises(IndexError):
        ArtifactReader(local).element(split, 0)


def test_a_damaged_element_is_detected_and_its_neighbours_are_not(local: Store) -> None:
    writer = ArtifactWriter(local, PACK)
    split = writer.add_values("rows", [list(range(200)) for _ in range(3)])
    writer.flush()
    middle = split.entry.offset + (split.offsets[1] + split.offsets[2]) // 2

    def damage(data: bytearray) -> None:
        data[middle] ^= 1

    corrupt(local, str(split.entry.pack), damage)
    reader = ArtifactReader(local)
    assert reader.element(split, 0) == reader.element(split, 2) == list(range(200))
    with pytest.raises(CorruptedDataException, match="element 1"):
        reader.element(split, 1)


def test_an_element_that_cannot_be_stored_is_named(local: Store) -> None:
    with pytest.raises(UnpicklableArtifactException, match=r"rows\[1\]\['x'\]"):
        ArtifactWriter(local, PACK).add_values("rows", [1, {"x": threading.Lock()}])


@given(values=st.lists(plain_values, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_elements_come_back(memory: Store, values: list[Any]) -> None:
    writer = ArtifactWriter(memory, PACK)
    split = writer.add_values("rows", values)
    writer.flush()
    reader = ArtifactReader(memory)
    assert all(same_value(reader.element(split, index), value) for index, value in enumerate(values))


def test_an_entry_says_what_the_value_is(local: Store) -> None:
    entries = save(local, a=np.zeros((2, 3)), m=Model(1), n=5)
    assert (entries["a"].type, entries["n"].type) == ("numpy.ndarray", "int")
    assert entries["m"].type.endswith("test_artifacts.Model")
    assert entries["a"].preview["shape"] == [2, 3]


def test_nan_payloads_and_signed_zeros_survive(local: Store) -> None:
    loaded = ArtifactReader(local).load_many(save(local, z=-0.0, a=np.array([-0.0, np.nan])))
    assert math.copysign(1, loaded["z"]) == -1
    assert loaded["a"].tobytes() == np.array([-0.0, np.nan]).tobytes()


def test_what_was_not_flushed_is_written_by_flush(s3_bucket: str) -> None:
    store = open_store(f"s3://{s3_bucket}", cache=None)
    writer = ArtifactWriter(store, PACK)
    arrays = {f"a{number}": np.random.default_rng(number).random(100_000) for number in range(8)}
    entries = {name: writer.add(name, array) for name, array in arrays.items()}
    writer.flush()
    assert len(list(store.list("blobs"))) == len(arrays)
    assert same_value(ArtifactReader(store).load_many(entries), arrays)
    store.close()
