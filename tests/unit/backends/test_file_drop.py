"""A record is a whole file under its name, or an error; nothing between."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from ari_app.backends.file_drop import FileDrop
from ari_app.errors import Unavailable

RECORD: dict[str, object] = {"version": 1, "last_words": "où êtes-vous ?"}


async def test_a_record_is_dropped_under_its_name(tmp_path: Path) -> None:
    drop = FileDrop(tmp_path / "new" / "handoffs")
    assert await drop.deliver("hand_1", RECORD) == "hand_1.json"

    (file,) = (tmp_path / "new" / "handoffs").iterdir()
    assert json.loads(file.read_text(encoding="utf-8")) == RECORD
    assert "où êtes-vous" in file.read_text(encoding="utf-8")


async def test_nobody_else_reads_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        await FileDrop(tmp_path).deliver("hand_1", RECORD)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "hand_1.json").stat().st_mode) & 0o007 == 0


async def test_delivered_again_it_is_the_same_one_file(tmp_path: Path) -> None:
    drop = FileDrop(tmp_path)
    receipts = {await drop.deliver("hand_1", RECORD) for _ in range(3)}
    assert receipts == {"hand_1.json"}
    assert os.listdir(tmp_path) == ["hand_1.json"]


async def test_a_receiver_never_sees_half_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = FileDrop(tmp_path)
    await drop.deliver("hand_1", RECORD)

    def disk_full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(Unavailable, match="No space left on device"):
        await drop.deliver("hand_1", {**RECORD, "version": 2})
    assert json.loads((tmp_path / "hand_1.json").read_text(encoding="utf-8")) == RECORD
    assert {"hand_1.json"} == set(os.listdir(tmp_path)) - {"hand_1.part"}


async def test_what_a_crash_left_behind_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "hand_1.part").write_text('{"version": ' + "9" * 1000)
    await FileDrop(tmp_path).deliver("hand_1", RECORD)
    assert json.loads((tmp_path / "hand_1.json").read_text(encoding="utf-8")) == RECORD
    assert not (tmp_path / "hand_1.part").exists()


async def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=f"cannot write to {tmp_path}/file/handoffs: ") as error:
        await FileDrop(tmp_path / "file" / "handoffs").deliver("hand_1", RECORD)
    assert "Not a directory" in str(error.value)


async def test_words_that_utf_8_cannot_hold_are_dropped_as_json(tmp_path: Path) -> None:
    """Half a surrogate pair, as a broken handset may send it."""
    record: dict[str, object] = {"last_words": "caf\u00e9 \ud83d"}
    await FileDrop(tmp_path).deliver("hand_1", record)
    assert json.loads((tmp_path / "hand_1.json").read_text(encoding="utf-8")) == record


async def test_the_name_is_on_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    fsync = os.fsync

    def watch(fd: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(fd).st_mode))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watch)
    await FileDrop(tmp_path).deliver("hand_1", RECORD)
    assert synced == [False, True]
