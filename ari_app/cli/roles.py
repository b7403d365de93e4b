"""The processes of a stage by what they do: their processor time, memory and open files."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ari_app.cli.processes import cpu_seconds
from ari_app.cli.stage import Stage


class Role(Enum):
    """What a process is there for; the values are words for people."""

    SERVICE = "the service"
    ASR = "ASR workers"
    VOICE = "espeak-ng"
    ASTERISK = "Asterisk"
    CALLERS = "the callers themselves"


@dataclass(frozen=True, slots=True)
class Member:
    """One process."""

    role: Role
    pid: int

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far; 0 once it is gone."""
        return cpu_seconds(self.pid)[0]

    @property
    def memory(self) -> int:
        """Resident octets; 0 once it is gone (proc(5), statm)."""
        try:
            return int(_read(self.pid, "statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0

    @property
    def descriptors(self) -> int:
        """How many it holds open."""
        return len(list(_descriptors(self.pid)))


def members(stage: Stage) -> list[Member]:
    """Every process that has a part in a call, this one (the callers) included."""
    facts = json.loads((stage.folder / "pbx.ready.json").read_text(encoding="utf-8"))
    found = [Member(Role.CALLERS, os.getpid()), Member(Role.ASTERISK, int(facts["pid"]))]
    for pid in _family(stage.service.pid):
        with contextlib.suppress(OSError):
            command = _read(pid, "cmdline")
            if "ari_app.speech.worker" in command:
                role = Role.ASR
            elif "ari_app.speech.espeak_process" in command:
                role = Role.VOICE
            else:
                role = Role.SERVICE
            found.append(Member(role, pid))
    return found


def cpu_by_member(processes: list[Member]) -> dict[Member, float]:
    """Processor time of each so far, in seconds."""
    return {member: member.cpu for member in processes}


def drops(processes: list[Member]) -> dict[Role, int]:
    """Datagrams that the kernel threw away because a process read too slowly, of open sockets."""
    by_inode = {
        fields[9]: int(fields[12])
        for line in Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
        if (fields := line.split())
    }
    lost: dict[Role, int] = {}
    for member in processes:
        for target in _descriptors(member.pid):
            if target.startswith("socket:["):
                lost[member.role] = lost.get(member.role, 0) + by_inode.get(target[8:-1], 0)
    return lost


def busy_seconds() -> float:
    """Processor time of the whole machine so far, everybody's, without idling (proc(5), stat)."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, irq, softirq, stolen = (int(f) for f in fields[:8])
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def _descriptors(pid: int) -> Iterator[str]:
    try:
        names = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError):  # closed in the meantime
            yield os.readlink(name)


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text(encoding="ascii").split():
                found += _family(int(child))
    return found


def _read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ").decode(errors="replace")
