"""Prepared prompts on disk: bounded, checked, and never a reason to stop."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from ari_app.ports import Prompt
from ari_app.speech.prompts import cache as cache_module
from ari_app.speech.prompts.cache import CorruptPrompt, PromptCache

PROMPT = Prompt(b"\xff\x7f" * 400, (120, 480))


def file_of(folder: Path, key: str = "k") -> Path:
    return folder / f"{key}.prompt"


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path / "new" / "folder", 1 << 20)
    assert cache.load("k") is None
    cache.save("k", PROMPT)
    assert cache.load("k") == PROMPT
    assert os.listdir(tmp_path / "new" / "folder") == ["k.prompt"]


@pytest.mark.parametrize("damage", ["bit", "short", "empty", "foreign"])
def test_a_damaged_entry_is_found_out_and_deleted(tmp_path: Path, damage: str) -> None:
    cache = PromptCache(tmp_path, 1 << 20)
    cache.save("k", PROMPT)
    octets = bytearray(file_of(tmp_path).read_bytes())
    octets[-1] ^= 1
    damaged = {
        "bit": bytes(octets),
        "short": file_of(tmp_path).read_bytes()[:-5],
        "empty": b"",
        "foreign": b"RIFF" + bytes(300),
    }
    file_of(tmp_path).write_bytes(damaged[damage])
    with pytest.raises(CorruptPrompt):
        cache.load("k")
    assert cache.load("k") is None


def test_the_least_recently_used_is_deleted_beyond_the_bound(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path, 3 * 900)
    for age, key in enumerate(("a", "b", "c")):
        cache.save(key, PROMPT)
        os.utime(file_of(tmp_path, key), (age, age))
    assert cache.load("a") is not None  # used just now
    cache.save("d", PROMPT)
    assert {p.name for p in tmp_path.iterdir()} == {"a.prompt", "c.prompt", "d.prompt"}


def test_what_a_dead_worker_left_half_written_is_swept_later(tmp_path: Path) -> None:
    (tmp_path / "new-old").write_bytes(b"half")
    os.utime(tmp_path / "new-old", (1, 1))
    (tmp_path / "new-young").write_bytes(b"half")
    PromptCache(tmp_path, 1 << 20).save("k", PROMPT)
    assert {p.name for p in tmp_path.iterdir()} == {"k.prompt", "new-young"}


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    PromptCache(tmp_path, 1).save("k", PROMPT)
    assert (tmp_path / "notes.txt").exists()


def test_a_full_disk_is_said_once_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module, "_pack", full)
    cache = PromptCache(tmp_path, 1 << 20)
    cache.save("k", PROMPT)
    cache.save("l", PROMPT)
    assert caplog.text.count("No space left on device") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_as_good_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file_of(tmp_path).mkdir()
    assert PromptCache(tmp_path, 1 << 20).load("k") is None
    assert "cannot be read" in caplog.text


def test_several_workers_share_a_folder_that_is_too_small(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def work(name: str) -> None:
        cache = PromptCache(tmp_path, 5 * 900)
        try:
            for i in range(40):
                cache.save(f"{name}{i % 8}", PROMPT)
                found = cache.load(f"{name}{i % 8}")
                assert found is None or found == PROMPT
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(name,)) for name in "xyz"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert all(p.name.endswith(".prompt") for p in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) <= 8
