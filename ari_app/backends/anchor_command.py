"""An anchor that gives every signed checkpoint to a command of the operator's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence

from ari_app.errors import Unavailable

_BLOCK = 4096
_LONGEST_WORDS = 200  # characters of what it complains of


class AnchorCommand:
    """Implements the port `Anchor`: the note is on its standard input, and kept if it exits 0.

    `argv` is run as it stands, without a shell. A command that takes longer than `deadline`
    seconds is killed, together with all that it has started in its process group.
    """

    def __init__(self, argv: Sequence[str], deadline: float = 30.0) -> None:
        if not argv:
            raise ValueError("an anchor command has at least a program")
        self._argv = tuple(argv)
        self._deadline = deadline

    async def put(self, note: str) -> None:
        """See the port; Unavailable says how the command failed."""
        name = self._argv[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # a group of its own, so that all of it can be ended
            )
        except OSError as error:
            raise Unavailable(
                f"the anchor command {name} cannot be started ({error.strerror}): "
                "correct it in [audit]"
            ) from None
        try:
            async with asyncio.timeout(self._deadline):
                words = await _talk(process, note.encode())
                status = await process.wait()
        except TimeoutError:
            raise Unavailable(
                f"the anchor command {name} took longer than {self._deadline:g} s and was killed"
            ) from None
        finally:
            await _end(process)
        if status:
            how = f"exit {status}" if status > 0 else f"signal {-status}"
            raise Unavailable(f"the anchor command {name} failed ({how}): {words}")


async def _talk(process: asyncio.subprocess.Process, note: bytes) -> str:
    """Give it the note; the last line that it complained of."""
    assert process.stdin is not None
    assert process.stderr is not None
    # One that does not read says with its status whether it has what it needs.
    with contextlib.suppress(ConnectionError):
        process.stdin.write(note)
        await process.stdin.drain()
    process.stdin.close()
    tail = b""
    while block := await process.stderr.read(_BLOCK):
        tail = (tail + block)[-_BLOCK:]
    said = [line.strip() for line in tail.decode(errors="replace").splitlines() if line.strip()]
    words = "".join(c if c.isprintable() else " " for c in said[-1]) if said else "it said nothing"
    return words[-_LONGEST_WORDS:]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the group if its leader is not done; leave no pipe and no corpse behind."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    # What has left the group may hold our pipes, and asyncio waits until they are closed.
    for number in (0, 2):
        pipe = process._transport.get_pipe_transport(number)  # type: ignore[attr-defined]  # no other way to them
        if pipe is not None:
            pipe.close()
    reaping = asyncio.create_task(process.wait())
    try:
        await asyncio.shield(reaping)
    except asyncio.CancelledError:
        await reaping  # it is dead, so this is soon over
        raise
