"""Compressed bytes are Zstandard, come back whole, and are only made where it pays."""

import contextlib
import os
import random

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlflow_provider.store.compression import compress, decompress, pays
from airflow_mlflow_provider.store.hashing import digest_of
from tests.store.forked import Forked

CHUNK = 4 << 20


def words(size: int) -> bytes:
    return b" ".join(random.Random(1).choices([b"alpha", b"beta", b"gamma", b"delta"], k=size // 5 + 1))[
        :size
    ]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17])
@pytest.mark.parametrize("pieces", [1, 7])
def test_bytes_come_back_whole(size: int, pieces: int) -> None:
    data = words(size)
    step = size // pieces + 1
    parts = [data[start : start + step] for start in range(0, size, step)]
    packed = b"".join(compress(parts))
    result = decompress(memoryview(packed), size)
    assert result == data
    assert not result.readonly
    if size > 1000:
        assert len(packed) < size / 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=20))
def test_any_parts_come_back(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert decompress(memoryview(b"".join(compress(parts))), len(data)) == data


def test_any_reader_of_zstandard_reads_it() -> None:
    data = words(2 * CHUNK + 5)
    packed = b"".join(compress([data]))
    reader = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    assert reader.decompress(packed) == data


def test_damaged_bytes_are_an_error_or_the_same_bytes() -> None:
    data = words(50_000)
    packed = b"".join(compress([data]))
    # The checksum is the digest's business; here no damage may hang, crash or change the length.
    for position in range(0, len(packed), 97):
        damaged = bytearray(packed)
        damaged[position] ^= 0xFF
        with contextlib.suppress(ValueError):
            assert len(decompress(memoryview(damaged), len(data))) == len(data)
    for end in (0, 5, 9, len(packed) - 1):
        with pytest.raises(ValueError):  # noqa: PT011 - of several makers
            decompress(memoryview(packed[:end]), len(data))
    with pytest.raises(ValueError, match="came out"):
        decompress(memoryview(packed), len(data) + 1)


@pytest.mark.parametrize(
    ("data", "mode", "expected"),
    [
        (words(1_000_000), "auto", True),
        (os.urandom(1_000_000), "auto", False),
        (os.urandom(1_000_000), "zstd", True),
        (words(1_000_000), "none", False),
        (words(100), "auto", False),
        (words(100), "zstd", False),
        (bytes(1_000_000) + os.urandom(2_000_000), "auto", False),
    ],
)
def test_a_sample_decides(data: bytes, mode: str, expected: bool) -> None:
    half = len(data) // 2
    assert pays([data[:half], data[half:]], len(data), mode, remote=False) is expected  # type: ignore[arg-type]


def test_what_travels_over_a_network_is_compressed_for_less() -> None:
    # Shrinks to about two thirds.
    data = bytes(random.Random(1).choices(range(40), k=1_000_000))
    assert pays([data], len(data), "auto", remote=True)
    assert not pays([data], len(data), "auto", remote=False)


def test_large_amounts_are_hashed_in_a_forked_process_too() -> None:
    data = bytes(20 << 20)
    expected = digest_of([data], len(data))
    assert Forked(lambda: digest_of([data[:100], data[100:]], len(data))).result() == expected
