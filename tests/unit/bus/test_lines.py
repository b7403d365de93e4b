"""Lines are whole, on disk, bounded, and never lost, whatever crashes or fills up."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import stat
from pathlib import Path

import pytest

from ari_app.bus.lines import LineFile, LineOutput
from ari_app.errors import Unavailable
from ari_app.ports import Record
from tests.support.wait import PATIENCE


def event(n: int, payload: str = '{"call":"c"}') -> Record:
    return Record(n, f"evt_{n}", "conv_1", n, 7, "caller", None, "call.answered", 1, payload, b"")


def ids(content: bytes) -> list[str]:
    assert content.endswith(b"\n") or not content
    return [json.loads(line)["id"] for line in content.splitlines()]


async def test_events_are_lines_in_their_order(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "new" / "events")
    await file.put([event(1), event(2)])
    await file.put([event(3)])
    assert ids((tmp_path / "new" / "events").read_bytes()) == ["evt_1", "evt_2", "evt_3"]


async def test_nobody_else_reads_them(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        await LineFile(tmp_path / "events").put([event(1)])
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "events").stat().st_mode) & 0o007 == 0


async def test_they_are_on_disk_with_their_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, int]] = []
    fsync = os.fsync

    def watch(fd: int) -> None:
        about = os.fstat(fd)
        synced.append((stat.S_ISDIR(about.st_mode), about.st_size if about.st_size < 4096 else 0))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watch)
    await LineFile(tmp_path / "events").put([event(1)])
    assert [is_folder for is_folder, _ in synced] == [True, False]
    assert synced[-1][1] == (tmp_path / "events").stat().st_size


@pytest.mark.parametrize("left", [1, 30, 100_000])
async def test_a_line_that_a_crash_cut_short_spoils_none(tmp_path: Path, left: int) -> None:
    path = tmp_path / "events"
    await LineFile(path).put([event(1)])
    with path.open("ab") as file:
        file.write(b'{"relay":1,"id":"evt_2"'.ljust(left, b"x")[:left])

    await LineFile(path).put([event(2), event(3)])
    assert ids(path.read_bytes()) == ["evt_1", "evt_2", "evt_3"]


async def test_a_file_that_has_nothing_but_half_a_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "events").write_bytes(b'{"relay":1' + b" " * 200_000)
    await LineFile(tmp_path / "events").put([event(1)])
    assert ids((tmp_path / "events").read_bytes()) == ["evt_1"]


async def test_a_full_disk_leaves_no_half_line_and_no_half_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events"
    file = LineFile(path)
    await file.put([event(1)])
    write, room = os.write, [150]

    def full(fd: int, content: memoryview) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        n = write(fd, content[: room[0]])
        room[0] -= n
        return n

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(Unavailable, match=f"cannot write events to {path} .No space left"):
            await file.put([event(2), event(3)])
    assert ids(path.read_bytes()) == ["evt_1"]

    await file.put([event(2), event(3)])
    assert ids(path.read_bytes()) == ["evt_1", "evt_2", "evt_3"]


async def test_a_disk_that_fails_to_sync_acknowledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LineFile(tmp_path / "events")
    await file.put([event(1)])

    def broken(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(Unavailable, match="Input/output error"):
            await file.put([event(2)])
    await file.put([event(2)])
    assert ids((tmp_path / "events").read_bytes()) == ["evt_1", "evt_2"]


async def test_a_file_that_is_full_makes_room_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "events"
    file = LineFile(path, largest=1, kept=2)
    for n in range(1, 6):
        await file.put([event(n)])
    assert sorted(os.listdir(tmp_path)) == ["events", "events.1", "events.2"]
    kept = [ids((tmp_path / name).read_bytes()) for name in ("events.2", "events.1", "events")]
    assert kept == [["evt_3"], ["evt_4"], ["evt_5"]]


async def test_a_crash_between_two_renames_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events"
    file = LineFile(path, largest=1, kept=3)
    for n in (1, 2, 3):
        await file.put([event(n)])
    (tmp_path / "events.1").rename(tmp_path / "events.3")  # as if it died with a gap

    for n in (4, 5):
        await LineFile(path, largest=1, kept=3).put([event(n)])
    found = [i for name in os.listdir(tmp_path) for i in ids((tmp_path / name).read_bytes())]
    assert set(found) >= {"evt_3", "evt_4", "evt_5"}


async def test_half_a_line_is_not_moved_away_with_a_full_file(tmp_path: Path) -> None:
    path = tmp_path / "events"
    await LineFile(path, largest=1).put([event(1)])
    with path.open("ab") as file:
        file.write(b'{"relay"')
    await LineFile(path, largest=1).put([event(2)])
    assert ids((tmp_path / "events.1").read_bytes()) == ["evt_1"]
    assert ids(path.read_bytes()) == ["evt_2"]


async def test_while_another_process_writes_nothing_is_mixed(tmp_path: Path) -> None:
    path = tmp_path / "events"
    file = LineFile(path)
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # ours must be the only one
        with pytest.raises(Unavailable, match="another process writes to"):
            await file.put([event(1)])
        assert path.read_bytes() == b""
    await file.put([event(1)])
    assert ids(path.read_bytes()) == ["evt_1"]


async def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="file/deep/events .Not a directory"):
        await LineFile(tmp_path / "file" / "deep" / "events").put([event(1)])


async def test_a_damaged_event_stops_the_relay_and_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"event evt_2 .*`segue audit verify`") as error:
        await LineFile(tmp_path / "events").put([event(1), event(2, "secret words")])
    assert "secret" not in str(error.value)
    assert not (tmp_path / "events").exists()


# -- standard output --------------------------------------------------------------------------


class Pipe:
    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self.reads, self.writes):
            if end != -1:
                os.close(end)
        self.reads = self.writes = -1

    def so_far(self) -> bytes:
        os.set_blocking(self.reads, False)
        got = b""
        while True:
            try:
                block = os.read(self.reads, 65_536)
            except BlockingIOError:
                return got
            got += block


async def until_taken(output: LineOutput, events: list[Record]) -> None:
    """As a feed does; on a busy machine the short deadline may pass again."""
    while True:
        with contextlib.suppress(Unavailable):
            return await output.put(events)


async def test_a_reader_of_our_output_gets_lines(tmp_path: Path) -> None:
    with Pipe() as pipe:
        await LineOutput(pipe.writes).put([event(1), event(2)])
        assert ids(pipe.so_far()) == ["evt_1", "evt_2"]


async def test_a_reader_that_hangs_gets_whole_lines_when_it_is_back() -> None:
    large = [event(n, json.dumps({"text": "x" * 10_000})) for n in range(30)]
    with Pipe() as pipe:
        output = LineOutput(pipe.writes, deadline=0.05)
        with pytest.raises(Unavailable, match="nobody read our output for 0.05 s"):
            await asyncio.wait_for(output.put(large), PATIENCE)
        got = pipe.so_far()
        assert not got.endswith(b"\n")  # it stopped in the middle of a line

        putting = asyncio.create_task(until_taken(output, large))
        while not putting.done():
            got += pipe.so_far()
            await asyncio.sleep(0)
        await putting
        got += pipe.so_far()
    assert set(ids(got)) == {e.id for e in large}
    assert ids(got)[-30:] == [e.id for e in large]


async def test_a_reader_that_has_gone_is_told() -> None:
    with Pipe() as pipe:
        os.close(pipe.reads)
        pipe.reads = -1
        with pytest.raises(Unavailable, match="nobody takes events from our output .Broken pipe"):
            await LineOutput(pipe.writes).put([event(1)])
