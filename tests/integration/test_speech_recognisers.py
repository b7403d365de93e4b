"""Real Vosk in real worker processes, hearing real espeak-ng voices it was not trained on."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ari_app.errors import AsrLost, ModelUnavailable
from ari_app.ports import Utterance
from ari_app.speech.ear import Ear
from ari_app.speech.espeak import Espeak
from ari_app.speech.model import load_model_facts, mini_model_path
from ari_app.speech.recognisers import AsrWorkers
from ari_app.telemetry.meter import PrometheusMeter
from tests.support.listeners import FRAME, MOMENT, Call, spoken

pytestmark = pytest.mark.vosk


@asynccontextmanager
async def running(
    count: int = 1,
    deadline: float = 2.0,
    meter: PrometheusMeter | None = None,
    hang: float = 1.0,
) -> AsyncIterator[AsrWorkers]:
    facts = load_model_facts(mini_model_path())
    meter = meter or PrometheusMeter(strict=True)
    workers = AsrWorkers(facts, count, meter, deadline, hang=hang)
    await workers.start()
    try:
        yield workers
    finally:
        await workers.aclose()


@pytest.fixture
async def espeak() -> AsyncIterator[Espeak]:
    async with Espeak() as espeak:
        yield espeak


def process_of(call: Call) -> int:
    assert isinstance(call.ear, Ear)
    return call.ear.worker


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return as soon as it is true; fail if it does not come true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # the truth is another process's, it sets no event
            await asyncio.sleep(0.005)


# -- hearing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "variant"),
    [
        ("i would like to make an appointment for next monday", "f4"),
        ("please send me a text message", "m4"),
        ("my account number is five two nine four", "linda"),
        ("what time do you close on friday", "robert"),
        ("no thank you", "miguel"),
    ],
)
async def test_a_voice_that_was_held_out_is_understood_over_a_telephone_line(
    espeak: Espeak, text: str, variant: str
) -> None:
    async with running() as workers:
        call = await Call().begin(workers)
        call.say(await spoken(espeak, text, variant))
        await until(lambda: text in call.partials)
        heard = await call.ear.finish()
    assert heard.text == text
    assert [word.text for word in heard.words] == text.split()
    assert heard.confidence > 0.8
    assert len(set(call.partials)) == len(call.partials)


async def test_two_calls_on_one_worker_do_not_mix(espeak: Espeak) -> None:
    texts = ("please cancel my appointment for tomorrow", "i would like to talk to an agent")
    voices = [await spoken(espeak, text, "f4") for text in texts]
    async with running() as workers:
        calls = [await Call().begin(workers) for _ in texts]
        for at in range(0, max(map(len, voices)), FRAME):
            for call, voice in zip(calls, voices, strict=True):
                call.ear.feed(voice[at : at + FRAME])
        heard = await asyncio.gather(*(call.ear.finish() for call in calls))
    assert tuple(h.text for h in heard) == texts


async def test_word_times_count_on_from_turn_to_turn(espeak: Espeak) -> None:
    first, second = [await spoken(espeak, t, "m4") for t in ("yes please", "no thank you")]
    pause = bytes(16000 * 3)
    async with running() as workers:
        call = await Call().begin(workers)
        one = await call.ask(first)
        two = await call.ask(pause + second)
    assert (one.text, two.text) == ("yes please", "no thank you")
    offset = len(first + pause) / 16000
    assert one.words[0].start == pytest.approx(0.5, abs=0.1)
    assert two.words[0].start == pytest.approx(offset + 0.5, abs=0.1)
    assert two.words[-1].end < (len(first + pause + second)) / 16000


async def test_nothing_is_lost_when_vosk_ends_an_utterance_itself(espeak: Espeak) -> None:
    """Two seconds of silence are an end for Kaldi, but not for a caller who looks for a number."""
    parts = [await spoken(espeak, text, "linda") for text in ("five two nine", "four seven one")]
    async with running() as workers:
        call = await Call().begin(workers)
        call.say(bytes(32000).join(parts))
        await until(lambda: call.partials[-1:] == ["five two nine four seven one"])
        heard = await call.ear.finish()
    assert heard.text == "five two nine four seven one"
    assert heard.words[3].start > heard.words[2].end + 2.0


async def test_a_turn_without_speech_is_empty(espeak: Espeak) -> None:
    async with running() as workers:
        call = await Call().begin(workers)
        assert await call.ask(b"") == Utterance("", ())
        assert await call.ask(bytes(16000 * 7)) == Utterance("", ())
        assert (await call.ask(await spoken(espeak, "yes", "f4"))).text == "yes"


async def test_garbage_is_survived(espeak: Espeak) -> None:
    meter = PrometheusMeter(strict=True)
    async with running(meter=meter) as workers:
        call = await Call().begin(workers)
        for garbage in (b"", b"x", b"odd" * 107, b"\xff\x7f\x00\x80" * 40_000, os.urandom(99_999)):
            call.ear.feed(garbage)
        await call.ear.finish()
        assert (await call.ask(await spoken(espeak, "yes please", "f4"))).text == "yes please"
        assert call.losses == 0


async def test_finishing_twice_at_once_gives_each_its_turn(espeak: Espeak) -> None:
    voice = await spoken(espeak, "yes please", "f4")
    async with running() as workers:
        call = await Call().begin(workers)
        call.say(voice)
        first, second = await asyncio.gather(call.ear.finish(), call.ear.finish())
    assert (first.text, second.text) == ("yes please", "")
    assert call.partials == []  # all of them came after the turn was over


async def test_calls_go_to_the_least_loaded_worker() -> None:
    async with running(count=2) as workers:
        calls = [await Call().begin(workers) for _ in range(4)]
        pids = [process_of(call) for call in calls]
        assert sorted(map(pids.count, workers.pids)) == [2, 2]
        busy, other = pids[0], next(pid for pid in pids if pid != pids[0])
        for call in calls:
            if process_of(call) == busy:
                await call.ear.aclose()
        assert process_of(await Call().begin(workers)) == busy != other


# -- losing -----------------------------------------------------------------------------------


async def test_a_killed_worker_costs_its_calls_once_and_is_replaced(
    espeak: Espeak, caplog: pytest.LogCaptureFixture
) -> None:
    voice = await spoken(espeak, "yes please", "f4")
    meter = PrometheusMeter(strict=True)
    async with running(meter=meter) as workers:
        call, other = await Call().begin(workers), await Call().begin(workers)
        await other.ear.aclose()
        call.say(voice[: len(voice) // 2])
        os.kill(process_of(call), signal.SIGKILL)
        await asyncio.wait_for(call.lost.wait(), 5)
        call.say(voice)
        with pytest.raises(AsrLost):
            await call.ear.finish()
        assert (await (await Call().begin_again(workers)).ask(voice)).text == "yes please"
        assert "segue_asr_workers_alive 1.0" in meter.text()
        assert 'segue_asr_lost_total{reason="died"} 1.0' in meter.text()
    assert (call.losses, other.losses) == (1, 0)
    assert "an ASR worker died" in caplog.text


async def test_a_worker_killed_while_it_finishes_a_turn_fails_that_turn() -> None:
    async with running() as workers:
        call = await Call().begin(workers)
        os.kill(process_of(call), signal.SIGSTOP)
        finish = asyncio.create_task(call.ear.finish())
        await asyncio.sleep(0)  # let it ask
        os.kill(process_of(call), signal.SIGKILL)
        with pytest.raises(AsrLost):
            await finish
        await until(lambda: call.losses == 1)


async def test_a_stopped_worker_is_lost_by_the_deadline_and_replaced(espeak: Espeak) -> None:
    voice = await spoken(espeak, "yes please", "f4")
    async with running(deadline=0.5) as workers:
        call = await Call().begin(workers)
        os.kill(process_of(call), signal.SIGSTOP)
        call.say(voice)
        asked = asyncio.get_running_loop().time()
        with pytest.raises(AsrLost):
            await call.ear.finish()
        assert asyncio.get_running_loop().time() - asked < 1.5
        await until(lambda: call.losses == 1)
        assert (await (await Call().begin_again(workers)).ask(voice)).text == "yes please"


async def test_a_stopped_worker_is_found_though_no_call_waits_for_it() -> None:
    async with running(deadline=0.3) as workers:
        call = await Call().begin(workers)
        os.kill(process_of(call), signal.SIGSTOP)
        await asyncio.wait_for(call.lost.wait(), 5)


async def test_a_stopped_worker_does_not_make_us_hoard_audio() -> None:
    async with running(deadline=30, hang=1.0) as workers:
        call = await Call().begin(workers)
        os.kill(process_of(call), signal.SIGSTOP)
        for _ in range(20):
            call.ear.feed(bytes(1 << 20))
        assert isinstance(call.ear, Ear)
        assert call.ear.waiting <= 5.0
        assert call.ear.dropped > 20 * (1 << 20) / 16000 - 60
        await until(lambda: call.losses == 1)
        with pytest.raises(AsrLost):
            await call.ear.finish()


async def test_new_calls_go_to_the_worker_that_lives() -> None:
    async with running(count=2, deadline=0.5) as workers:
        call = await Call().begin(workers)
        os.kill(process_of(call), signal.SIGSTOP)
        others = [await Call().begin(workers) for _ in range(3)]
        assert all(process_of(other) != process_of(call) for other in others)


async def test_without_a_living_worker_there_is_no_recogniser() -> None:
    async with running() as workers:
        call = await Call().begin(workers)
        os.kill(process_of(call), signal.SIGKILL)
        await asyncio.wait_for(call.lost.wait(), 5)
        with pytest.raises(AsrLost):
            await Call().begin(workers)


async def test_a_call_that_has_closed_its_recogniser_hears_of_no_loss() -> None:
    async with running() as workers:
        call = await Call().begin(workers)
        pid = process_of(call)
        await call.ear.aclose()
        await call.ear.aclose()
        call.ear.feed(MOMENT)
        with pytest.raises(AsrLost):
            await call.ear.finish()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: workers.alive == 0)
        await until(lambda: workers.alive == 1)
    assert call.losses == 0


async def test_a_call_that_raises_costs_nobody_the_worker(espeak: Espeak) -> None:
    """asyncio reports the fault; the worker and the other call go on."""
    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: faults.append(str(what)))

    def broken(_text: str) -> None:
        raise RuntimeError("a bug in a call")

    voice = await spoken(espeak, "yes please", "f4")
    async with running() as workers:
        bad = await workers.open(broken, lambda: None)
        good = await Call().begin(workers)
        bad.feed(voice)
        await until(lambda: bool(faults))
        assert (await good.ask(voice)).text == "yes please"


async def test_workers_end_with_the_service() -> None:
    async with running(count=2) as workers:
        pids = {process_of(await Call().begin(workers)) for _ in range(2)}
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


# -- starting ---------------------------------------------------------------------------------


async def test_the_mini_model_warns_that_it_does_not_hear_people(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        async with running():
            pass
    assert caplog.text.count("synthesized voices only") == 1


async def test_a_model_that_libvosk_refuses_ends_the_start_with_one_sentence(
    tmp_path: Path,
) -> None:
    """The checks have passed (no checksums here), and the network is cut in half."""
    model = Path(shutil.copytree(mini_model_path(), tmp_path / "model"))
    (model / "SHA256SUMS").unlink()
    network = (model / "am/final.mdl").read_bytes()
    (model / "am/final.mdl").write_bytes(network[: len(network) // 2])
    workers = AsrWorkers(load_model_facts(model), 1, PrometheusMeter(strict=True))
    with pytest.raises(ModelUnavailable, match="speech.model_path"):
        await workers.start()


async def test_a_model_that_kills_libvosk_ends_the_start_with_one_sentence(
    tmp_path: Path,
) -> None:
    model = Path(shutil.copytree(mini_model_path(), tmp_path / "model"))
    (model / "SHA256SUMS").unlink()
    (model / "conf/model.conf").write_text("--no-such-option=1\n")
    workers = AsrWorkers(load_model_facts(model), 2, PrometheusMeter(strict=True))
    with pytest.raises(ModelUnavailable, match="speech.model_path"):
        await workers.start()
    assert workers.alive == 0


async def test_a_rate_that_would_hang_libvosk_does_not_reach_it() -> None:
    facts = replace(load_model_facts(mini_model_path()), rate=0)
    workers = AsrWorkers(facts, 1, PrometheusMeter(strict=True))
    with pytest.raises(ModelUnavailable):
        await workers.start()


# -- the end of the service -------------------------------------------------------------------

ORPHANS = """
import asyncio, os, signal
from ari_app.speech.model import load_model_facts, mini_model_path
from ari_app.speech.recognisers import AsrWorkers
from ari_app.telemetry.meter import PrometheusMeter
from tests.support.listeners import FRAME, MOMENT, Call, spoken

async def main():
    workers = AsrWorkers(load_model_facts(mini_model_path()), 2, PrometheusMeter(), 60)
    await workers.start()
    ears = [await workers.open(lambda text: None, lambda: None) for _ in range(2)]
    os.kill(ears[0].worker, signal.SIGSTOP)  # as if it hung inside libvosk
    print(*(ear.worker for ear in ears), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_workers_die_with_a_service_that_is_killed_even_one_that_hangs() -> None:
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ORPHANS), stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout is not None
    pids = [int(pid) for pid in (await service.stdout.readline()).split()]
    assert len(set(pids)) == 2
    service.kill()
    await service.communicate()
    await until(lambda: not any(map(runs, pids)))


def runs(pid: int) -> bool:
    """Whether the process is there; a zombie, which nobody here may reap, is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
