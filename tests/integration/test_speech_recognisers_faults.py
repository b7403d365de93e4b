"""Workers that die, hang, lie or do not keep up: their calls are told, and hear again."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ari_app.errors import AsrLost, ModelUnavailable
from ari_app.ports import Meter
from ari_app.speech.ear import Ear
from ari_app.speech.espeak import Espeak
from ari_app.speech.model import ModelFacts, load_model_facts, mini_model_path
from ari_app.speech.recognisers import AsrWorkers
from tests.support.listeners import Call, spoken
from tests.support.meter import RecordingMeter
from tests.support.wait import until

pytestmark = pytest.mark.vosk

LYING = "tests.support.lying_worker"


@dataclass(frozen=True)
class Patience:
    deadline: float = 2.0
    hang: float = 1.0
    behind: float = 5.0


@asynccontextmanager
async def running(
    count: int = 1,
    *,
    spare: int = 0,
    module: str = "ari_app.speech.worker",
    patience: Patience = Patience(),  # noqa: B008  # frozen
    facts: ModelFacts | None = None,
    meter: Meter | None = None,
) -> AsyncIterator[AsrWorkers]:
    workers = AsrWorkers(
        facts or load_model_facts(mini_model_path()),
        count,
        meter or RecordingMeter(),
        patience.deadline,
        hang=patience.hang,
        behind=patience.behind,
        spare=spare,
        module=module,
    )
    await workers.start()
    try:
        yield workers
    finally:
        await workers.aclose()


@pytest.fixture
async def yes_please() -> AsyncIterator[bytes]:
    async with Espeak() as espeak:
        yield await spoken(espeak, "yes please")


def ear_of(call: Call) -> Ear:
    assert isinstance(call.ear, Ear)
    return call.ear


# -- lies and deaths --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lie", "reason", "said"),
    [
        ("garbage", "failed", "broke the protocol: a message of 4294967295 octets"),
        ("unasked", "failed", "broke the protocol: an answer without a question"),
        ("echo", "failed", "broke the protocol: it said Audio"),
        ("abort", "died", "died (SIGSEGV)"),
    ],
)
async def test_a_worker_that_lies_or_aborts_is_replaced_and_its_call_is_told_once(
    lie: str,
    reason: str,
    said: str,
    yes_please: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LIE", lie)
    meter = RecordingMeter()
    async with running(module=LYING, meter=meter) as workers:
        call, neighbour = await Call().begin(workers), await Call().begin(workers)
        (first,) = workers.pids
        call.say(yes_please)
        await asyncio.wait_for(call.lost.wait(), 5)
        with pytest.raises(AsrLost):
            await call.ear.finish()
        await asyncio.wait_for(neighbour.lost.wait(), 5)
        await Call().begin_again(workers)
        assert workers.pids != [first]
        assert (call.losses, neighbour.losses) == (1, 1)
        assert meter.counts["segue_asr_lost_total", reason] == 2
    assert said in caplog.text


async def test_a_worker_that_hangs_in_a_turn_is_replaced_though_it_spins(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LIE", "hang")
    async with running(module=LYING, patience=Patience(hang=0.5)) as workers:
        call, neighbour = await Call().begin(workers), await Call().begin(workers)
        with pytest.raises(AsrLost):
            await call.ear.finish()
        await asyncio.wait_for(neighbour.lost.wait(), 5)
        await Call().begin_again(workers)
        assert workers.started == 2
    assert "gave no sign of life in 0.5 s" in caplog.text


async def test_a_worker_that_dies_of_every_call_is_started_ever_more_seldom(
    yes_please: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A poisoned caller who comes back at once: no spinning, and the event loop stays free."""
    monkeypatch.setenv("LIE", "abort")
    loop = asyncio.get_running_loop()
    gaps: list[float] = []

    async def watch_the_loop() -> None:
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            gaps.append(loop.time() - before)

    async with running(module=LYING) as workers:
        watch = asyncio.create_task(watch_the_loop())
        end = loop.time() + 3.0
        while loop.time() < end:
            call = await Call().begin_again(workers)
            call.say(yes_please)
            await asyncio.wait_for(call.lost.wait(), 5)
        watch.cancel()
        assert 2 <= workers.started <= 6
    pauses = re.findall(r"the next one starts in (\d+\.\d) s", caplog.text)
    assert pauses[:3] == ["0.1", "0.2", "0.4"][: len(pauses)]
    assert max(gaps) < 0.5


async def test_workers_that_never_start_end_the_start_and_say_how(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIE", "crash")
    with pytest.raises(ModelUnavailable, match=r"died \(status 3\).*speech.model_path"):
        async with running(2, module=LYING):
            pass


async def test_a_call_goes_on_at_once_on_the_worker_that_lives(yes_please: bytes) -> None:
    async with running(2) as workers:
        call = await Call().begin(workers)
        call.say(yes_please[:4000])
        os.kill(ear_of(call).worker, signal.SIGKILL)
        await asyncio.wait_for(call.lost.wait(), 5)
        again = await Call().begin_again(workers)
        assert workers.started == 2  # it did not have to wait for the third
        assert (await again.ask(yes_please)).text == "yes please"


async def test_a_spare_worker_has_no_call_until_it_takes_the_place_of_another_at_once(
    yes_please: bytes,
) -> None:
    async with running(1, spare=1) as workers:
        calls = [await Call().begin(workers) for _ in range(4)]
        (first,) = {ear_of(call).worker for call in calls}
        (spare,) = set(workers.pids) - {first}
        os.kill(first, signal.SIGKILL)
        await asyncio.gather(*(asyncio.wait_for(call.lost.wait(), 5) for call in calls))
        again = await Call().begin(workers)  # nobody has to wait
        assert ear_of(again).worker == spare
        assert (await again.ask(yes_please)).text == "yes please"
        await until(lambda: workers.alive == 2)
        assert ear_of(await Call().begin(workers)).worker == spare


# -- the model --------------------------------------------------------------------------------


async def test_a_model_that_is_removed_hurts_no_running_worker_and_is_said_to_be_missing(
    tmp_path: Path, yes_please: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    model = Path(shutil.copytree(mini_model_path(), tmp_path / "model"))
    async with running(facts=load_model_facts(model)) as workers:
        shutil.rmtree(model)
        call = await Call().begin(workers)
        assert (await call.ask(yes_please)).text == "yes please"
        os.kill(ear_of(call).worker, signal.SIGKILL)
        await until(lambda: "no Vosk model at" in caplog.text)
        assert workers.alive == 0
        with pytest.raises(AsrLost):
            await Call().begin(workers)
        shutil.copytree(mini_model_path(), model)
        again = await asyncio.wait_for(Call().begin_again(workers), 20)
        assert (await again.ask(yes_please)).text == "yes please"


async def test_a_model_that_is_damaged_while_running_is_named_after_one_try(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = Path(shutil.copytree(mini_model_path(), tmp_path / "model"))
    async with running(facts=load_model_facts(model)) as workers:
        network = (model / "am/final.mdl").read_bytes()
        (model / "am/final.mdl").write_bytes(network[: len(network) // 2])
        os.kill(workers.pids[0], signal.SIGKILL)
        await until(lambda: "damaged am/final.mdl (checksum)" in caplog.text)


# -- too much to do ---------------------------------------------------------------------------


async def test_audio_that_cannot_be_sent_is_dropped_oldest_first_and_the_call_goes_on(
    yes_please: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The socket is full for a while: what was said last is heard when the worker goes on."""
    async with running(patience=Patience(30, 30, behind=4.0)) as workers:
        call = await Call().begin(workers)
        worker = ear_of(call).worker
        os.kill(worker, signal.SIGSTOP)
        call.say(bytes(16000 * 120))
        call.say(yes_please)
        assert ear_of(call).waiting <= 4.0
        assert 60 < ear_of(call).dropped < 120
        os.kill(worker, signal.SIGCONT)
        assert (await call.ear.finish()).text == "yes please"
        assert ear_of(call).waiting == 0
        assert call.losses == 0
    assert caplog.text.count("does not keep up") == 1


async def test_a_call_that_is_far_behind_does_not_hold_up_another(yes_please: bytes) -> None:
    async with running(patience=Patience(30, 30, behind=60.0)) as workers:
        chatty, other = await Call().begin(workers), await Call().begin(workers)
        worker = ear_of(other).worker
        os.kill(worker, signal.SIGSTOP)
        chatty.say(yes_please * 20)
        other.say(yes_please)
        finished: list[Call] = []

        async def finish(call: Call) -> None:
            await call.ear.finish()
            finished.append(call)

        both = [asyncio.create_task(finish(call)) for call in (chatty, other)]
        await asyncio.sleep(0)  # they have asked, the chatty one first
        os.kill(worker, signal.SIGCONT)
        await asyncio.gather(*both)
        assert finished == [other, chatty]


async def test_a_new_call_goes_to_the_worker_that_keeps_up_though_it_has_more_calls() -> None:
    async with running(2, patience=Patience(30, 30)) as workers:
        busy, *others = [await Call().begin(workers) for _ in range(4)]
        full = ear_of(busy).worker
        for call in others:
            if ear_of(call).worker == full:
                await call.ear.aclose()
        os.kill(full, signal.SIGSTOP)
        busy.say(bytes(16000 * 60))
        assert ear_of(await Call().begin(workers)).worker != full
        os.kill(full, signal.SIGCONT)


async def test_a_turn_that_comes_too_late_costs_one_call_its_hearing_and_not_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The worker is busy far longer than `hang`, but gives signs of life all the time."""
    monkeypatch.setenv("LIE", "slow")
    meter = RecordingMeter()
    patience = Patience(deadline=1.0, hang=0.6)
    async with running(module=LYING, meter=meter, patience=patience) as workers:
        late, idle = await Call().begin(workers), await Call().begin(workers)
        late.say(bytes(320 * 40))  # two seconds of work
        with pytest.raises(AsrLost):
            await late.ear.finish()
        await until(lambda: late.losses == 1)
        assert meter.counts["segue_asr_lost_total", "late"] == 1
        await until(lambda: workers.alive == 1)
        again = await Call().begin_again(workers)
        assert (await again.ask(bytes(320))).text == ""
        assert (workers.started, idle.losses) == (1, 0)


async def test_fifty_calls_at_once_are_spread_evenly_and_all_are_understood(
    yes_please: bytes,
) -> None:
    async with running(2, patience=Patience(deadline=20)) as workers:
        calls = await asyncio.gather(*(Call().begin(workers) for _ in range(50)))
        pids = [ear_of(call).worker for call in calls]
        assert sorted(map(pids.count, workers.pids)) == [25, 25]
        for at in range(0, len(yes_please), 320):
            for call in calls:
                call.ear.feed(yes_please[at : at + 320])
        heard = await asyncio.gather(*(call.ear.finish() for call in calls))
        assert {utterance.text for utterance in heard} == {"yes please"}
        assert sum(ear_of(call).dropped for call in calls) == 0


# -- time -------------------------------------------------------------------------------------


async def test_a_service_that_stands_still_longer_than_every_deadline_loses_no_worker(
    yes_please: bytes,
) -> None:
    async with running(patience=Patience(deadline=0.4, hang=0.4)) as workers:
        call = await Call().begin(workers)
        call.say(yes_please)
        finish = asyncio.create_task(call.ear.finish())
        await asyncio.sleep(0)  # it has asked
        time.sleep(1.0)  # noqa: ASYNC251  # that is the fault
        assert (await finish).text == "yes please"
        await asyncio.sleep(0.3)  # a probe was under way too
        assert (workers.started, workers.alive, call.losses) == (1, 1, 0)


async def test_a_machine_that_stands_still_gives_the_worker_its_time_again(
    yes_please: bytes,
) -> None:
    """As a virtual machine that is moved: neither side has run, and we may wake first."""
    async with running(patience=Patience(deadline=0.5, hang=0.5)) as workers:
        call = await Call().begin(workers)
        worker = ear_of(call).worker
        os.kill(worker, signal.SIGSTOP)
        call.say(yes_please)
        finish = asyncio.create_task(call.ear.finish())
        await asyncio.sleep(0)
        time.sleep(1.2)  # noqa: ASYNC251  # that is the fault
        asyncio.get_running_loop().call_later(0.1, os.kill, worker, signal.SIGCONT)
        assert (await finish).text == "yes please"
        assert (workers.started, call.losses) == (1, 0)


async def test_a_wall_clock_that_jumps_changes_nothing(
    yes_please: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running() as workers:
        call = await Call().begin(workers)
        call.say(yes_please[:8000])
        monkeypatch.setattr(time, "time", lambda: 0.0)
        call.say(yes_please[8000:])
        assert (await call.ear.finish()).text == "yes please"
        monkeypatch.setattr(time, "time", lambda: 4e9)
        assert (await call.ask(yes_please)).text == "yes please"
        assert (workers.started, call.losses) == (1, 0)


# -- expected phrases -------------------------------------------------------------------------


async def test_a_question_may_say_what_is_expected_and_take_it_back(yes_please: bytes) -> None:
    async with running() as workers:
        call = await Call().begin(workers)
        assert ear_of(call).expect(["five", "two", "nine"])
        assert "yes" not in (await call.ask(yes_please)).text
        assert ear_of(call).expect(["Yes  Please", "no thank you"])
        assert (await call.ask(yes_please)).text == "yes please"
        assert ear_of(call).expect([])
        heard = await call.ask(yes_please)
        assert heard.text == "yes please"
        third_turn = 2 * len(yes_please) / 16000
        assert heard.words[0].start == pytest.approx(third_turn + 0.5, abs=0.2)


async def test_what_is_expected_in_the_middle_of_a_turn_keeps_what_was_said(
    yes_please: bytes,
) -> None:
    async with running() as workers:
        call = await Call().begin(workers)
        for _ in range(3):
            call.say(yes_please)
            assert ear_of(call).expect(["yes please", "no"])
            assert ear_of(call).expect([])
        assert (await call.ear.finish()).text == "yes please yes please yes please"
        assert call.losses == 0


async def test_expectations_at_any_moment_never_cost_the_worker(yes_please: bytes) -> None:
    async with running() as workers:
        call = await Call().begin(workers)
        lists: tuple[list[str], ...] = (["yes"], [], ["no", "yes please"], ["appointment"] * 500)
        for number, at in enumerate(range(0, len(yes_please), 320)):
            call.ear.feed(yes_please[at : at + 320])
            assert ear_of(call).expect(lists[number % len(lists)])
            if number % 50 == 0:
                await call.ear.finish()
        await call.ear.finish()
        assert (workers.started, call.losses) == (1, 0)


async def test_phrases_that_the_model_cannot_hear_are_refused_and_change_nothing(
    yes_please: bytes,
) -> None:
    async with running() as workers:
        assert workers.takes_phrases
        call = await Call().begin(workers)
        assert not ear_of(call).expect(["xyzzy"])
        with pytest.raises(ValueError, match="no word"):
            ear_of(call).expect([""])
        assert (await call.ask(yes_please)).text == "yes please"


async def test_a_model_without_grammars_refuses_every_phrase(yes_please: bytes) -> None:
    facts = replace(load_model_facts(mini_model_path()), dynamic=False)
    async with running(facts=facts) as workers:
        assert not workers.takes_phrases
        call = await Call().begin(workers)
        assert not ear_of(call).expect(["no"])
        assert (await call.ask(yes_please)).text == "yes please"


# -- asking for what makes no sense -----------------------------------------------------------


@pytest.mark.parametrize("patience", [Patience(deadline=0), Patience(hang=-1), Patience(behind=0)])
async def test_deadlines_that_make_no_sense_are_refused(patience: Patience) -> None:
    with pytest.raises(ValueError, match="zero or less"):
        async with running(patience=patience):
            pass


async def test_nobody_waits_for_a_worker_for_ever_without_being_able_to_leave(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller hangs up while the call waits for its hearing."""
    model = Path(shutil.copytree(mini_model_path(), tmp_path / "model"))
    with caplog.at_level(logging.ERROR):
        async with running(facts=load_model_facts(model)) as workers:
            shutil.rmtree(model)
            os.kill(workers.pids[0], signal.SIGKILL)
            await until(lambda: workers.alive == 0)
            waiting = asyncio.create_task(workers.returned())
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
