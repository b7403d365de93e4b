"""A command keeps a checkpoint, or the sentence says how it failed; nothing is left running."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from ari_app.backends.anchor_command import AnchorCommand
from ari_app.errors import Unavailable
from tests.support.wait import PATIENCE, until

NOTE = "segue-demo\n7\nAAAA\n\n\N{EM DASH} segue-demo signature\n"


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, *arguments]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_the_command_gets_the_note_to_its_end(tmp_path: Path) -> None:
    await AnchorCommand(["/bin/sh", "-c", 'cat > "$0"', str(tmp_path / "kept")]).put(NOTE)
    assert (tmp_path / "kept").read_text(encoding="utf-8") == NOTE


async def test_what_the_arguments_say_is_not_read_by_a_shell(tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    written = "$(touch nothing); `id` *"
    await AnchorCommand(python(code, str(tmp_path / "argument"), written)).put(NOTE)
    assert (tmp_path / "argument").read_text() == written


async def test_a_failure_is_one_sentence_with_its_last_words() -> None:
    code = "import sys; print('trying', file=sys.stderr); sys.exit('no route to\\tthe vault')"
    with pytest.raises(Unavailable) as error:
        await AnchorCommand(python(code)).put(NOTE)
    assert str(error.value) == (
        f"the anchor command {sys.executable} failed (exit 1): no route to the vault"
    )


async def test_a_failure_without_words_is_a_failure() -> None:
    with pytest.raises(Unavailable, match=r"/bin/false failed \(exit 1\): it said nothing"):
        await AnchorCommand(["/bin/false"]).put(NOTE)


async def test_a_command_that_dies_of_a_signal_is_told() -> None:
    with pytest.raises(Unavailable, match=r"failed \(signal 15\)"):
        await AnchorCommand(["/bin/sh", "-c", "kill -TERM $$"]).put(NOTE)


async def test_a_command_that_needs_no_note_may_leave_it() -> None:
    await AnchorCommand(["/bin/true"]).put("x" * 1_000_000)


async def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(Unavailable, match="/no/such cannot be started .No such file"):
        await AnchorCommand(["/no/such"]).put(NOTE)


async def test_a_chatterbox_is_read_to_its_end_and_not_quoted_at_length() -> None:
    code = "import sys; sys.stderr.write('x' * 5_000_000); print('y' * 5_000_000); sys.exit(3)"
    with pytest.raises(Unavailable) as error:
        await AnchorCommand(python(code)).put(NOTE)
    assert "exit 3" in str(error.value)
    assert len(str(error.value)) < 400


SLOW = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


async def test_a_command_that_is_too_slow_is_killed_with_all_that_it_started(
    tmp_path: Path,
) -> None:
    told = tmp_path / "pids"
    with pytest.raises(Unavailable, match=r"took longer than 1\.5 s and was killed"):
        await asyncio.wait_for(AnchorCommand(python(SLOW, str(told)), 1.5).put(NOTE), PATIENCE)
    pids = [int(pid) for pid in told.read_text().split()]
    await until(lambda: not any(map(alive, pids)))


async def test_a_command_is_killed_when_the_service_ends(tmp_path: Path) -> None:
    told = tmp_path / "pids"
    putting = asyncio.create_task(AnchorCommand(python(SLOW, str(told)), 600).put(NOTE))
    await until(told.exists)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(putting, PATIENCE)
    pids = [int(pid) for pid in told.read_text().split()]
    await until(lambda: not any(map(alive, pids)))


async def test_what_has_left_the_group_with_our_pipe_is_not_waited_for(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"], start_new_session=True
)
open(sys.argv[1], "w").write(str(child.pid))
"""
    told = tmp_path / "pid"
    # The first of all starts what asyncio needs for watching processes.
    await AnchorCommand(["/bin/true"]).put(NOTE)
    open_before = len(os.listdir("/proc/self/fd"))
    try:
        with pytest.raises(Unavailable, match="was killed"):
            await asyncio.wait_for(AnchorCommand(python(code, str(told)), 1.0).put(NOTE), PATIENCE)
        await until(lambda: len(os.listdir("/proc/self/fd")) == open_before)
    finally:
        os.kill(int(told.read_text()), signal.SIGKILL)


def test_a_command_has_a_program() -> None:
    with pytest.raises(ValueError, match="at least a program"):
        AnchorCommand([])
