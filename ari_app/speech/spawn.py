"""Starts a Python module of ours as a child process, and ends it without a race."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys


class Spawned:
    """A child process, killed through a descriptor that always means this process.

    asyncio's own kill() may reap a child that has just died (Popen.send_signal polls it), and
    then its watcher complains of an unknown child; a bare os.kill() may hit a stranger by then.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._pidfd: int | None = None
        with contextlib.suppress(ProcessLookupError):  # dead and reaped already
            self._pidfd = os.pidfd_open(process.pid)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    @property
    def how_it_ended(self) -> str:
        """Its signal by name, or its exit status; "" while it runs."""
        status = self.process.returncode
        if status is None or status >= 0:
            return "" if status is None else f"status {status}"
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"

    def kill(self) -> None:
        """End it at once; one that is dead already is fine."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def aclose(self) -> None:
        """Kill it if need be, and reap it, also when cancelled meanwhile."""
        self.kill()
        reaping = asyncio.create_task(self._reap())
        try:
            await asyncio.shield(reaping)
        except asyncio.CancelledError:
            await reaping  # it is dead, so this is soon over
            raise

    async def _reap(self) -> None:
        # Reads what is left in its pipes too: without that, asyncio does not see their end.
        await self.process.communicate()
        pidfd, self._pidfd = self._pidfd, None
        if pidfd is not None:
            os.close(pidfd)


async def spawn(
    module: str, *arguments: str, pipes: bool = False, pass_fds: tuple[int, ...] = ()
) -> Spawned:
    """`python -m module --parent <us> arguments`; with pipes for its input and output, or none."""
    stream = asyncio.subprocess.PIPE if pipes else asyncio.subprocess.DEVNULL
    # In the event loop's own thread: "die with the parent" means the thread that forked.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, "--parent", str(os.getpid()), *arguments),
        stdin=stream,
        stdout=stream,
        pass_fds=pass_fds,
    )
    return Spawned(process)
