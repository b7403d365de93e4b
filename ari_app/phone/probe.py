"""A synthetic call that tries the whole path: SIP, audio both ways, hearing, policy, the log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ari_app.agent.turn import Agent
from ari_app.conversation.events import Envelope
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError, StoreUnavailable, Unavailable
from ari_app.media.g711 import ulaw_decode
from ari_app.phone import evidence
from ari_app.phone.arrivals import reception
from ari_app.phone.attempt import OTHER_VOICE, Attempt, Failed
from ari_app.phone.call import Phone
from ari_app.phone.caller import trimmed
from ari_app.phone.rehearsal import Expected, rehearse
from ari_app.phone.verdict import Stage, Step, Verdict
from ari_app.ports import Clock, Meter, Voice

logger = logging.getLogger(__name__)

Pcm = npt.NDArray[np.int16]

_STORED = 10.0  # seconds from the end of the call to the last event about it
_LOOK = 0.1


class Log(Protocol):
    """What is needed of the store."""

    async def latest(self, *subjects: str) -> str | None:
        """The stream that one of these subjects turned to last."""

    async def read(self, stream: str, after: int = 0) -> Sequence[Envelope]:
        """The events of a stream in order."""


class CallersVoice(Protocol):
    """Speaks as a caller; see Espeak."""

    async def synthesize(self, text: str, voice: str = ..., variant: str | None = ...) -> Pcm:
        """16-bit samples at 8000 Hz."""


@dataclass(frozen=True, slots=True)
class Script:
    """Whom to call as whom, and what to say.

    `caller` is a number that nobody else has: by its subject statistics and retention know these
    calls. `lines` are sentences, or one key each.
    """

    sip: str  # host:port of the PBX
    number: str
    caller: str
    lines: tuple[str, ...]
    variant: str = "f4"  # espeak-ng's timbre
    may_text: bool = False  # whether the call may lead to a text
    limit: float = 90.0  # seconds that the call may take

    def subject(self, key: bytes) -> str:
        """The pseudonym of all synthetic calls; SettingsError if the number is none."""
        try:
            return E164(self.caller).subject(key)
        except ValueError:
            raise SettingsError(
                f"[probe] caller: {self.caller!r} is not an E.164 number, such as +12025550190"
            ) from None


class Probe:
    """Places one synthetic call after the other; each is compared with its rehearsal."""

    def __init__(
        self,
        script: Script,
        agent: Agent,
        voice: Voice,
        callers_voice: CallersVoice,
        log: Log | None,
        subject: str,
        clock: Clock,
        meter: Meter,
    ) -> None:
        """`log` is None where it cannot be read; `subject` is `script.subject(key)`."""
        self._script = script
        self._agent = agent
        self._voice = voice
        self._callers_voice = callers_voice
        self._log = log
        self._subject = subject
        self._clock = clock
        self._meter = meter

    def rehearsed(self) -> Expected:
        """What the call should lead to; SettingsError if these lines are not fit for a probe."""
        script = self._script
        if not script.number:
            raise SettingsError("[probe] number: there is no number to dial: set it, or give --to")
        if not script.lines:
            raise SettingsError("[probe] say: there is nothing to say: give a sentence or a key")
        expected = rehearse(self._agent, script.lines, script.caller, script.number)
        if expected.texts and not script.may_text:
            raise SettingsError(
                "[probe] say: these lines lead to a text: say less, or allow it with --text"
            )
        for reply in expected.replies:
            if reply.intent is None:
                raise SettingsError(
                    f"[probe] say: the policy understands nothing in {reply.line!r}: take a "
                    "sentence from the examples of an intent"
                )
        return expected

    async def run_once(self) -> Verdict:
        """One call, within its limit; the outcome is a metric, and an alarm line if it failed.

        SettingsError or Unavailable if it cannot be tried at all.
        """
        try:
            expected = self.rehearsed()
            verdict = await self._call(expected)
        except Exception:
            self._meter.count("segue_probe_runs_total", result="not run")
            raise
        self._tell(verdict)
        return verdict

    async def _call(self, expected: Expected) -> Verdict:
        host, port, ours = await _reach(self._script.sip)
        sounds = await self._sounds(expected)
        words = await self._words(expected)
        before = None if self._log is None else await self._log.latest(self._subject)
        script = self._script
        try:
            phone = await Phone.open(ours)
        except OSError as error:
            raise Unavailable(f"no UDP port is to be had on {ours}: {error.strerror}") from error
        async with phone:
            attempt = Attempt(phone, expected, sounds, words)
            with contextlib.suppress(Failed):
                await attempt.run((host, port), script.number, script.caller, script.limit)
            await phone.hang_up()
            got = reception(phone.packets)
        steps, conversation = attempt.steps, None
        # What the log says of a call that failed helps too.
        if self._log is not None and steps[0].ok:
            step, conversation = await self._evidence(self._log, expected, before)
            steps.append(step)
        return Verdict(tuple(steps), conversation, got.received, got.missing)

    async def _sounds(self, expected: Expected) -> dict[str, Pcm]:
        prompts = [expected.disclosure, expected.question]
        prompts += [prompt for reply in expected.replies for prompt in reply.prompts]
        language = expected.language
        return {text: ulaw_decode(await self._voice.speak(text, language)) for _, text in prompts}

    async def _words(self, expected: Expected) -> dict[str, Pcm]:
        speak, variant = self._callers_voice.synthesize, self._script.variant
        said = [reply.line for reply in expected.replies if not reply.is_key]
        return {line: trimmed(await speak(line, variant=variant)) for line in said}

    async def _evidence(
        self, log: Log, expected: Expected, before: str | None
    ) -> tuple[Step, str | None]:
        """What the log says of the call, as soon as it has said all; and the conversation."""
        began = time.monotonic()
        stream: str | None = None
        events: Sequence[Envelope] = ()
        try:
            while time.monotonic() < began + _STORED:
                latest = await log.latest(self._subject)
                if latest is not None and latest != before:
                    stream, events = latest, await log.read(latest)
                    if evidence.is_complete([envelope.event for envelope in events]):
                        break
                await asyncio.sleep(_LOOK)
        except StoreUnavailable as error:
            return Step(Stage.LOG, False, None, str(error), "the store: `segue store`"), stream
        took = time.monotonic() - began
        facts = [envelope.event for envelope in events]
        if not facts:
            said = "the log has no conversation of this call"
            return Step(Stage.LOG, False, None, said, OTHER_VOICE), None
        if faults := evidence.missing(facts, expected, self._script.may_text):
            look_at = f"`segue conversation show {stream}`"
            return Step(Stage.LOG, False, None, "; ".join(faults), look_at), stream
        how = "word for word" if evidence.exactly(facts, expected) else "by its intent"
        return Step(Stage.LOG, True, took, f"every event is there; heard {how}"), stream

    def _tell(self, verdict: Verdict) -> None:
        self._meter.gauge("segue_probe_ok", 1.0 if verdict.ok else 0.0)
        self._meter.gauge("segue_probe_last_run_timestamp_seconds", self._clock.now() / 1e6)
        for stage, seconds in verdict.slowest().items():
            self._meter.gauge("segue_probe_seconds", seconds, step=stage.value)
        failed = verdict.failed
        result = "ok" if failed is None else failed.stage.value
        self._meter.count("segue_probe_runs_total", result=result)
        if failed is not None:
            logger.error(
                "alarm: the synthetic call failed at %s: %s; look at %s (%s)",
                failed.stage.value,
                failed.said,
                failed.look_at,
                verdict.conversation or "no conversation",
            )


async def _reach(sip: str) -> tuple[str, int, str]:
    """The PBX's IPv4 address and port, and our own address towards it."""
    host, _, port = sip.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise SettingsError(f"[probe] sip: must be host:port, not {sip!r}")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(
            host, int(port), family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
        address = str(found[0][4][0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            route.connect((address, int(port)))  # sends nothing: asks the kernel for the way
            return address, int(port), str(route.getsockname()[0])
    except OSError as error:
        raise Unavailable(f"[probe] sip: {host} cannot be reached: {error.strerror}") from error
