"""kill -9 at the worst moment: what was acknowledged is there, and no text is sent twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ari_app.conversation.events import CallAnswered, TextPromised, TextSightLost, TextSubmitted
from ari_app.conversation.message import MessageState
from ari_app.conversation.state import fold
from ari_app.ports import Receipt
from tests.support.clock import FakeClock
from tests.support.doomed import answers_a_reply, relay
from tests.support.faults import fault
from tests.support.killing import killed_at
from tests.support.store import opened

PATIENCE = 60.0


def program(story: str, folder: Path) -> list[str]:
    return ["-m", "tests.support.doomed", story, str(folder)]


def doomed(story: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *program(story, folder)], stdout=subprocess.PIPE, text=True
    )


def read_and_kill(process: subprocess.Popen[str], lines: int) -> list[str]:
    """What it acknowledged until it was killed, the last line perhaps cut short."""
    assert process.stdout is not None
    read = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(PATIENCE) == -signal.SIGKILL
    return [line for line in [*read, *rest.splitlines(keepends=True)] if line.endswith("\n")]


@pytest.mark.parametrize("lines", [1, 40, 200])
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, lines: int) -> None:
    acknowledged = read_and_kill(doomed("writes_for_ever", tmp_path), lines)
    assert len(acknowledged) >= lines

    last = Counter[str]()
    for line in acknowledged:
        stream, n = line.split()
        last[stream] = max(last[stream], int(n))
    async with opened(tmp_path) as store:
        jobs = [job.id for job in await store.claim("sms", 0, 100_000)]
        for stream in (f"conv_{s}" for s in range(4)):
            happened = [e.event for e in await store.read(stream)]
            calls = [e.call for e in happened if isinstance(e, CallAnswered)]
            appends = len(calls) // 2
            assert appends >= last[stream]
            # Each append is there as a whole, in order, and with its effect.
            whole = [f"{n}{half}" for n in range(1, appends + 1) for half in "ab"]
            assert calls == whole
            assert {f"msg_{stream}_{n}" for n in range(1, appends + 1)} <= set(jobs)
            assert sum(id.startswith(f"msg_{stream}_") for id in jobs) == appends


@fault(
    "a crash while a text is being sent",
    "its fate is told as unknown, and it is never sent again",
    "sqlite",
)
@pytest.mark.parametrize(
    ("failpoint", "taken"),
    [
        # Nothing was written to the carrier, but nobody can know that: it is not sent again.
        ("outbox.after_claim", 0),
        ("sms.before_send", 0),
        ("sms.after_send", 1),
        ("outbox.before_settle", 1),
    ],
)
async def test_a_text_in_hand_at_a_crash_is_told_and_never_sent_again(
    failpoint: str, taken: int, tmp_path: Path
) -> None:
    killed_at(failpoint, *program("sends_one_text", tmp_path))

    async with opened(tmp_path, clock := FakeClock()) as store:
        await store.bury()
        for _ in range(3):
            await relay(store, tmp_path, clock).run_once()
            clock.advance(60)
        envelopes = await store.read("conv_1")
    assert fold(envelopes).messages["msg_1"].state is MessageState.UNKNOWN
    assert [type(e.event) for e in envelopes[2:]] == [TextSightLost]
    assert _taken(tmp_path) == ["msg_1"] * taken


async def test_without_a_crash_the_same_text_is_sent_once(tmp_path: Path) -> None:
    process = doomed("sends_one_text", tmp_path)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0

    async with opened(tmp_path, clock := FakeClock()) as store:
        await relay(store, tmp_path, clock).run_once()
        assert await store.receipt(Receipt("main", "smsc-msg_1", "DELIVRD", ""))
        envelopes = await store.read("conv_1")
    assert isinstance(envelopes[2].event, TextSubmitted)
    assert fold(envelopes).messages["msg_1"].state is MessageState.DELIVERED
    assert _taken(tmp_path) == ["msg_1"]


@fault(
    "a crash while a reply or a hand-off is in hand",
    "it is answered once, and its record is delivered once",
    "sqlite",
)
@pytest.mark.parametrize(
    "failpoint",
    [
        "sms.after_receipt",
        "sms.after_reply_stored",
        "threads.before_advance",
        "handoff.after_delivery",
    ],
)
async def test_a_reply_is_answered_once_wherever_the_process_dies(
    failpoint: str, tmp_path: Path
) -> None:
    killed_at(failpoint, *program("answers_a_reply", tmp_path))

    await answers_a_reply(tmp_path)  # the service is up again, and the SMSC repeats itself
    async with opened(tmp_path) as store:
        happened = [e.event for e in await store.read("conv_1")]
    names = [type(event).__name__ for event in happened]
    assert names.count("TextReceived") == names.count("DecisionMade") == 1
    assert names.count("TextPromised") == names.count("HandoffRecorded") == 1
    assert names.count("HandoffAcknowledged") == 1
    (promised,) = [event for event in happened if isinstance(event, TextPromised)]
    assert _taken(tmp_path).count(promised.message) <= 1
    assert names.count("TextSubmitted") + names.count("TextSightLost") == 1
    assert len(os.listdir(tmp_path / "handoffs")) == 1


def _taken(folder: Path) -> list[str]:
    file = folder / "taken"
    return file.read_text().split() if file.exists() else []
