"""What a power cut may not take: the flush of the data and of the folder entry, in this order, before the return."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lianzheng.adapters.files import open_in_place, replace_file, write_new
from lianzheng.adapters.storage.usemark import UseMark

Flushed = list[tuple[str, bytes | None]]


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> Flushed:
    """Every flush so far: the name of a file with what it held then, or of a folder."""
    found: Flushed = []

    def note(flush: Callable[[int], None]) -> Callable[[int], None]:
        def noting(descriptor: int) -> None:
            flush(descriptor)
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            found.append((path.name, None if path.is_dir() else path.read_bytes()))

        return noting

    monkeypatch.setattr(os, "fsync", note(os.fsync))
    monkeypatch.setattr(os, "fdatasync", note(os.fdatasync))
    return found


def test_a_new_file_and_its_name(tmp_path: Path, flushed: Flushed) -> None:
    write_new(tmp_path / "card", b"data", 0o644)
    assert flushed == [("card", b"data"), (tmp_path.name, None)]
    assert (tmp_path / "card").stat().st_mode & 0o777 == 0o644
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "card", b"other")
    assert (tmp_path / "card").read_bytes() == b"data"


def test_a_replaced_file_is_flushed_before_it_takes_the_name(tmp_path: Path, flushed: Flushed) -> None:
    (tmp_path / "keys").write_bytes(b"old")
    replace_file(tmp_path / "keys", b"new")
    (draft, data), folder = flushed
    assert (draft.startswith(".keys."), data, folder) == (True, b"new", (tmp_path.name, None))
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_a_failed_replacement_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(tmp_path / "keys", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"keys": b"old"}


def test_a_file_that_is_overwritten_has_a_durable_name(tmp_path: Path, flushed: Flushed) -> None:
    os.close(open_in_place(tmp_path / "mark"))
    assert flushed == [(tmp_path.name, None)]
    assert (tmp_path / "mark").stat().st_mode & 0o777 == 0o600


async def test_the_mark_of_uses_is_named_before_it_counts(tmp_path: Path, flushed: Flushed) -> None:
    mark = UseMark(tmp_path / "gate.mark")
    assert mark.open() is None
    await mark.raise_to(7)
    mark.close()
    assert flushed == [(tmp_path.name, None), ("gate.mark", b"00000000000000000007\n")]
