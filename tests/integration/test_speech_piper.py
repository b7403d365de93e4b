"""piper in a process of its own, by a program that speaks its protocol (its models are large)."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

from ari_app.errors import VoiceUnavailable
from ari_app.speech.prompts.piper import Piper
from ari_app.speech.prompts.recordings import Wording
from tests.support.voices import DECODERS, a_voice
from tests.support.wait import until
from tests.unit.speech.test_voice import FakeSynthesizer

_PROGRAM = Path(__file__).parents[1] / "support" / "standin_piper.py"


class Premises:
    """A program and a model in a folder; `how` the program behaves is written in its model."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "piper"
        self.program.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(_PROGRAM))} "$@"\n'
        )
        self.program.chmod(0o755)
        self.model = folder / "amy.onnx"
        self.model.write_text("well")

    def piper(self, how: str = "well", deadline: float = 20.0) -> Piper:
        self.model.write_text(how)
        return Piper(str(self.program), {"en": self.model}, DECODERS, deadline)

    def started(self) -> list[int]:
        """The processes that there have been."""
        path = self.model.parent / "started"
        return list(map(int, path.read_text().split())) if path.exists() else []


@pytest.fixture
def premises(tmp_path: Path) -> Premises:
    return Premises(tmp_path)


@pytest.mark.parametrize("how", ["well", "logs", "late"])
async def test_a_text_is_spoken_however_its_file_is_announced(premises: Premises, how: str) -> None:
    piper = premises.piper(how)
    speech = await piper.say("hello\nthere\0", "en-GB")  # one line for piper
    assert speech.samples.size == pytest.approx(len("hello there\n") * 160, rel=0.05)
    await piper.aclose()


async def test_one_process_speaks_text_after_text_and_leaves_no_file(premises: Premises) -> None:
    piper = premises.piper()
    sizes = [(await piper.say(text, "en")).samples.size for text in ("a", "bb bb", "a")]
    assert sizes[0] == sizes[2] < sizes[1]
    assert len(premises.started()) == 1
    folder = piper._mouths[premises.model]._folder
    assert folder is not None
    assert list(folder.iterdir()) == []
    await piper.aclose()
    assert not folder.exists()


async def test_many_texts_at_once_each_get_their_own_speech(premises: Premises) -> None:
    piper = premises.piper()
    texts = ["a" * n for n in range(1, 9)]
    sizes = [s.samples.size for s in await asyncio.gather(*(piper.say(t, "en") for t in texts))]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)
    await piper.aclose()


async def test_a_killed_piper_speaks_the_next_text(premises: Premises) -> None:
    piper = premises.piper()
    await piper.say("one", "en")
    os.kill(premises.started()[0], signal.SIGKILL)
    assert (await piper.say("two", "en")).samples.size
    assert len(premises.started()) == 2
    await piper.aclose()


async def test_a_stopped_piper_is_replaced_at_the_deadline(premises: Premises) -> None:
    piper = premises.piper(deadline=5.0)
    await piper.say("one", "en")
    os.kill(premises.started()[0], signal.SIGSTOP)
    assert (await piper.say("two", "en")).samples.size
    await piper.aclose()


@pytest.mark.parametrize(
    ("how", "deadline", "complaint"),
    [
        ("dies", 20.0, "failed twice .it ended."),
        ("hangs", 0.5, "not a word within 0.5 s"),
        ("babbles", 20.0, "lines without end"),
    ],
)
async def test_a_piper_that_never_speaks_is_given_up(
    premises: Premises,
    how: str,
    deadline: float,
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ari_app.speech.prompts.piper._LOADING", 0.0)
    piper = premises.piper(how, deadline)
    with pytest.raises(VoiceUnavailable, match=complaint):
        await piper.say("one", "en")
    await piper.aclose()


async def test_the_last_of_many_callers_does_not_wait_for_a_piper_that_hangs_for_each_of_them(
    premises: Premises, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ari_app.speech.prompts.piper._LOADING", 0.0)
    piper = premises.piper("hangs", 0.3)
    said = await asyncio.gather(
        *(piper.say(f"text {n}", "en") for n in range(8)), return_exceptions=True
    )
    assert all(isinstance(fault, VoiceUnavailable) for fault in said)
    assert "busy with other texts" in str(said[-1])
    assert len(premises.started()) <= 4
    await piper.aclose()


async def test_a_program_that_is_not_there_is_said_so(premises: Premises) -> None:
    piper = Piper("/nowhere/piper", {"en": premises.model}, DECODERS)
    with pytest.raises(VoiceUnavailable, match=r"cannot be started .*set \[voice\] piper"):
        await piper.say("one", "en")
    await piper.aclose()


async def test_closing_while_it_speaks_fails_the_text(premises: Premises) -> None:
    piper = premises.piper("hangs")
    speaking = asyncio.create_task(piper.say("one", "en"))
    await until(lambda: bool(premises.started()))
    await piper.aclose()
    with pytest.raises(VoiceUnavailable, match="closed"):
        await speaking
    assert len(premises.started()) == 1


async def test_nothing_to_say_is_not_asked_of_piper(premises: Premises) -> None:
    async with a_voice(premises.piper()) as voice:
        assert await voice.speak(" \n ", "en") == b""
    assert premises.started() == []


async def test_without_a_model_for_the_language_the_next_one_speaks(premises: Premises) -> None:
    async with a_voice(premises.piper(), FakeSynthesizer("other", "en", "es")) as voice:
        ready = await voice.prepare([Wording("Hello.", "en"), Wording("Hola.", "es")])
    assert [r.source for r in ready] == ["piper", "other"]


async def test_a_dead_piper_leaves_the_caller_to_the_next_one(premises: Premises) -> None:
    async with a_voice(premises.piper("dies"), FakeSynthesizer("other")) as voice:
        assert await voice.speak("Hello.", "en")
