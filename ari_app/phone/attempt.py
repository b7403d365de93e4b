"""The audible half of a synthetic call: dial, listen, answer, compare with the rehearsal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from ari_app.phone.call import Phone
from ari_app.phone.errors import CallEnded, CallRefused, NoAnswer, NothingHeard, PhoneError
from ari_app.phone.likeness import RATE, find
from ari_app.phone.rehearsal import Expected, Reply
from ari_app.phone.verdict import Stage, Step

Pcm = npt.NDArray[np.int16]
Prompt = tuple[str, str]

_ANSWER = 10.0  # seconds to the answer
_FIRST_WORD = 8.0  # ... to the first packet of a prompt
_PAUSE = 0.5  # of silence behind a prompt that has lasted as long as it should
_OVERLAP = 0.2  # the place of a prompt is known no better

_SILENT = (
    "the RTP path: [media] host and advertise, and the firewall for first_port to last_port and "
    "for Asterisk's own (rtp.conf)"
)
OTHER_VOICE = (
    "whether `segue run` is up and has the calls of this Asterisk (its log), and whether the "
    "dialplan leads the number to Stasis: what spoke may be app-down.conf"
)


class Failed(Exception):
    """The step that ends the call; it is among the steps already."""


class Attempt:
    """One call on a phone that is open; `steps` grows as it goes on."""

    def __init__(
        self, phone: Phone, expected: Expected, sounds: Mapping[str, Pcm], words: Mapping[str, Pcm]
    ) -> None:
        """`sounds` are prompts by their text, `words` what we say by its line."""
        self._phone = phone
        self._expected = expected
        self._sounds = sounds
        self._words = words
        self.steps: list[Step] = []

    async def run(self, sip: tuple[str, int], number: str, caller: str, limit: float) -> None:
        """All of it, within `limit` seconds; Failed after the step that went wrong."""
        try:
            async with asyncio.timeout(limit):
                await self._dial(sip, number, caller)
                await self._greeting()
                for place, reply in enumerate(self._expected.replies, start=1):
                    await self._turn(f"line {place}", reply)
        except TimeoutError:
            done = {step.stage for step in self.steps}
            stage = next((s for s in Stage if s not in done), Stage.REPLY)
            said = f"the call was not over after {limit:g} s"
            self._fail(stage, said, "[probe] limit, or what was slow before")

    # -- the steps --------------------------------------------------------------------------------

    async def _dial(self, sip: tuple[str, int], number: str, caller: str) -> None:
        began = time.monotonic()
        try:
            await self._phone.call(*sip, number, caller, deadline=_ANSWER)
        except CallRefused as error:
            look_at = (
                "the dialplan: is the number an extension of the context that this address enters?"
                if error.status == 404
                else "the PBX: pjsip.conf for this address, and Asterisk's log"
            )
            self._fail(Stage.CALL, str(error), look_at)
        except NoAnswer as error:
            look_at = f"whether Asterisk is up and takes SIP by UDP at {sip[0]}:{sip[1]}"
            self._fail(Stage.CALL, str(error), look_at)
        except PhoneError as error:
            self._fail(Stage.CALL, str(error), "Asterisk's log")
        self._done(Stage.CALL, time.monotonic() - began, "answered")

    async def _greeting(self) -> None:
        """Who is speaking, then the question."""
        answered = self._phone.answered_at
        assert answered is not None  # it was
        prompts = (self._expected.disclosure, self._expected.question)
        began, sound = await self._listen(Stage.DISCLOSURE, answered, prompts)
        ended = await self._compare(Stage.DISCLOSURE, prompts[0], sound, 0.0)
        self._done(Stage.DISCLOSURE, began - answered, "heard in full")
        asked = await self._compare(Stage.QUESTION, prompts[1], sound, ended)
        gap = asked - ended - self._sounds[prompts[1][1]].size / RATE
        self._done(Stage.QUESTION, max(gap, 0.0), "heard in full")

    async def _turn(self, what: str, reply: Reply) -> None:
        try:
            if reply.is_key:
                until = await self._phone.press(reply.line)
            else:
                until = await self._phone.say(self._words[reply.line])
        except CallEnded:
            self._fail(
                Stage.REPLY, f"{what}: the call ended before its end", "what the log says of it"
            )
        except ValueError as error:
            self._fail(Stage.REPLY, f"{what}: {error}", "dtmf_mode in pjsip.conf")
        began, sound = await self._listen(Stage.REPLY, until, reply.prompts)
        ended = 0.0
        for prompt in reply.prompts:
            ended = await self._compare(Stage.REPLY, prompt, sound, ended)
        self._done(Stage.REPLY, began - until, f"{what} was answered, heard in full")

    # -- listening --------------------------------------------------------------------------------

    async def _listen(
        self, stage: Stage, since: float, prompts: Sequence[Prompt]
    ) -> tuple[float, Pcm]:
        """When the far side began to speak, and all that came until it was quiet again."""
        lasts = sum(self._sounds[text].size for _, text in prompts) / RATE
        phone = self._phone
        try:
            began = await phone.until_prompt(_FIRST_WORD, since)
            # A prompt may pause for longer than whoever has finished: its length says how long
            # it is waited for.
            rest = began + lasts - _PAUSE - time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(rest, 0.0)):
                    await phone.ended.wait()
            await phone.until_quiet(_PAUSE, lasts + _FIRST_WORD, since)
        except NothingHeard as error:
            self._fail(stage, str(error), _SILENT)
        except PhoneError as error:
            reason = phone.ending.reason if phone.ending else str(error)
            self._fail(stage, f"the call ended: {reason}", OTHER_VOICE)
        return began, phone.heard(since)

    async def _compare(self, stage: Stage, prompt: Prompt, sound: Pcm, after: float) -> float:
        """Where the prompt ends in the sound, in seconds; a failed step if it is not there."""
        wanted = self._sounds[prompt[1]]
        found = await asyncio.to_thread(find, wanted, sound, max(after - _OVERLAP, 0.0))
        if not found.heard:
            said = (
                f"a voice was heard, but not the prompt {prompt[0]} in full "
                f"({sound.size / RATE:.1f} s, alike {max(found.alike, 0.0):.2f})"
            )
            self._fail(stage, said, OTHER_VOICE)
        return found.ended

    def _done(self, stage: Stage, seconds: float, said: str) -> None:
        self.steps.append(Step(stage, True, seconds, said))

    def _fail(self, stage: Stage, said: str, look_at: str) -> NoReturn:
        self.steps.append(Step(stage, False, None, said, look_at))
        raise Failed
