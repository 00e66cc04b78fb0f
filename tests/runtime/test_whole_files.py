"""Files that are written as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mlflow_provider.runtime.whole_files import write_whole


def test_a_file_has_all_of_its_content_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    write_whole(file, [b"one ", b"two"])
    write_whole(file, [b"three"], durable=True)
    assert file.read_bytes() == b"three"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"half"
        raise OSError("no space left")

    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(OSError, match="no space left"):
        write_whole(file, parts())
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
