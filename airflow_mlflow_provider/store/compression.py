"""Compression of stored bytes, where a sample says that it pays.

The form is valid Zstandard: one skippable frame with the compressed length of each chunk, then one frame for each
chunk of 4 MiB. ``zstd -d`` reads it; knowing the lengths, we compress and decompress with all processors and straight
into place.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from airflow_mlflow_provider.store.hashing import processors

if TYPE_CHECKING:
    from typing_extensions import Buffer

Item = TypeVar("Item")
Result = TypeVar("Result")
Mode = Literal["auto", "zstd", "none"]
ZSTD = "zstd"

_LEVEL = 1
_CHUNK_BYTES = 4 << 20
_SMALLEST_BYTES = 4096
_SAMPLE_BYTES = 64 << 10
_SAMPLES = 3
# A file on this machine is mapped if it is not compressed, which saves more time than a few bytes are worth.
_WORTH = {False: 0.5, True: 0.8}
_SKIPPABLE = struct.Struct("<II")
_SKIPPABLE_MAGIC = 0x184D2A50


def pays(parts: Sequence[Buffer], size: int, mode: Mode, *, remote: bool) -> bool:
    """Whether to compress.

    Args:
        parts: The bytes, one part after another.
        size: How many they are.
        mode: ``auto`` lets a sample decide, ``zstd`` always compresses, ``none`` never.
        remote: Whether each byte travels over a network.
    """
    if mode == "none" or size < _SMALLEST_BYTES:
        return False
    if mode == "zstd":
        return True
    import zstandard

    compress = zstandard.ZstdCompressor(level=_LEVEL).compress
    samples = list(_samples(parts, size))
    taken = sum(map(len, samples))
    return sum(len(compress(sample)) for sample in samples) <= taken * _WORTH[remote]


def compress(parts: Sequence[Buffer]) -> list[bytes]:
    """Compress bytes; the result is parts, too."""
    import zstandard

    def compress_chunk(chunk: bytes | memoryview) -> bytes:
        # A compressor serves one thread at a time.
        return zstandard.ZstdCompressor(level=_LEVEL).compress(chunk)

    frames = _map(compress_chunk, list(_chunks(parts)))
    lengths = struct.pack(f"<{len(frames)}I", *map(len, frames))
    return [_SKIPPABLE.pack(_SKIPPABLE_MAGIC, len(lengths)) + lengths, *frames]


def decompress(data: memoryview, size: int) -> memoryview:
    """The bytes that :func:`compress` was given, writable and the caller's own.

    Args:
        data: What :func:`compress` gave, joined.
        size: How many bytes it was given.

    Raises:
        ValueError: These are not such bytes.
    """
    import zstandard

    lengths = _lengths(data)
    # A fresh mapping is zero already, page by page as it is written to; a bytearray would be cleared first.
    target = memoryview(mmap.mmap(-1, size) if size >= _CHUNK_BYTES else bytearray(size))
    position = _SKIPPABLE.size + 4 * len(lengths)
    jobs: list[tuple[memoryview, memoryview]] = []
    for number, length in enumerate(lengths):
        begin = number * _CHUNK_BYTES
        jobs.append((data[position : position + length], target[begin : begin + _CHUNK_BYTES]))
        position += length

    def decompress_chunk(job: tuple[memoryview, memoryview]) -> int:
        frame, place = job
        with zstandard.ZstdDecompressor().stream_reader(frame) as reader:
            filled = 0
            while filled < len(place) and (count := reader.readinto(place[filled:])):
                filled += count
        return filled

    try:
        filled = sum(_map(decompress_chunk, jobs))
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    if filled != size or position != len(data):
        raise ValueError(f"{filled} bytes came out where {size} went in")
    return target


def _lengths(data: memoryview) -> tuple[int, ...]:
    if len(data) < _SKIPPABLE.size:
        raise ValueError("it is cut short")
    magic, length = _SKIPPABLE.unpack_from(data)
    if magic != _SKIPPABLE_MAGIC or length % 4 or len(data) < _SKIPPABLE.size + length:
        raise ValueError("its header is not one")
    return struct.unpack_from(f"<{length // 4}I", data, _SKIPPABLE.size)


def _map(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    if len(items) < 2:
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(processors()) as threads:
        return list(threads.map(function, items))


def _chunks(parts: Iterable[Buffer]) -> Iterator[bytes | memoryview]:
    """The bytes in pieces of one chunk; a piece that lies within one part is not copied."""
    pending: list[memoryview] = []
    held = 0
    for part in parts:
        view = memoryview(part).cast("B")
        while view.nbytes:
            piece = view[: _CHUNK_BYTES - held]
            view = view[piece.nbytes :]
            pending.append(piece)
            held += piece.nbytes
            if held == _CHUNK_BYTES:
                yield pending[0] if len(pending) == 1 else b"".join(pending)
                pending, held = [], 0
    if pending:
        yield b"".join(pending)


def _samples(parts: Sequence[Buffer], size: int) -> Iterator[bytes]:
    """Pieces from the beginning, the middle and the end."""
    if size <= _SAMPLES * _SAMPLE_BYTES:
        yield b"".join(parts)
        return
    starts = [number * (size - _SAMPLE_BYTES) // (_SAMPLES - 1) for number in range(_SAMPLES)]
    for start in starts:
        yield b"".join(_slice(parts, start, start + _SAMPLE_BYTES))


def _slice(parts: Sequence[Buffer], start: int, end: int) -> Iterator[memoryview]:
    position = 0
    for part in parts:
        view = memoryview(part).cast("B")
        begin, stop = max(start - position, 0), min(end - position, view.nbytes)
        if begin < stop:
            yield view[begin:stop]
        position += view.nbytes
        if position >= end:
            return
