"""`segue call`: one simulated caller against a running system."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from ari_app.errors import SettingsError, Unavailable
from ari_app.phone.call import Phone
from ari_app.phone.caller import Exchange, Line, converse, trimmed
from ari_app.phone.errors import PhoneError
from ari_app.speech.espeak import Espeak
from ari_app.speech.model import load_model_facts, mini_model_path

_KEYS = frozenset("0123456789*#")
_PATIENCE = 40.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call went, from its packets."""

    exchanges: tuple[Exchange, ...]
    ended_by: str
    hung_up_at: float  # monotonic
    heard_seconds: float
    worst_lateness: float  # seconds: how far the phone's own timing can be trusted


async def spoken(espeak: Espeak, texts: Sequence[str], variant: str) -> list[Line]:
    """Each text as sound; a text of keys only, such as "1", is pressed."""
    lines = []
    for text in texts:
        if text and set(text) <= _KEYS:
            lines.append(Line(text, keys=text))
        else:
            pcm = await espeak.synthesize(text, variant=variant)
            lines.append(Line(text, pcm=trimmed(pcm)))
    return lines


async def place(
    sip: tuple[str, int], to: str, caller: str, lines: Sequence[Line], pause: float = 0.7
) -> Outcome:
    """Call, talk, and wait for the far side to hang up (5 s, then we do)."""
    try:
        async with await Phone.open() as phone:
            await phone.call(*sip, to, caller)
            exchanges = await converse(phone, lines, pause=pause, patience=_PATIENCE)
            try:
                await phone.until_ended(5.0)
            except PhoneError:
                await phone.hang_up()
            ending = phone.ending
            assert ending is not None
            seconds = phone.heard().size / 8000
            return Outcome(
                exchanges=tuple(exchanges),
                ended_by=ending.by.value,
                hung_up_at=ending.at,
                heard_seconds=seconds,
                worst_lateness=phone.worst_lateness,
            )
    except PhoneError as error:
        raise Unavailable(f"the call failed: {error}") from error


def unknown_words(texts: Sequence[str]) -> list[str]:
    """Words that the mini model cannot hear."""
    known = load_model_facts(mini_model_path()).words
    return sorted({w for t in texts for w in t.lower().split() if w not in known} - _KEYS)


def run(words: list[str], sip: str, to: str, caller: str, voice: str, as_json: bool) -> None:
    """Place the call and print each exchange."""
    host, colon, port = sip.rpartition(":")
    if not colon or not port.isdecimal():
        raise SettingsError(f"--sip must be host:port, not {sip!r}")
    outcome = asyncio.run(_call(words, (host, int(port)), to, caller, voice))
    if as_json:
        print_json(outcome)
        return
    screen = Console(highlight=False)
    for exchange in outcome.exchanges:
        answer = "the call ended"
        if exchange.answered_at is not None:
            late = (exchange.answered_at - exchange.spoken_until) * 1000
            answer = f"answered after {late:.0f} ms"
        screen.print(f"said {exchange.text!r}: {answer}", markup=False)
    screen.print(f"heard {outcome.heard_seconds:.1f} s; the {outcome.ended_by} hung up")


def print_json(outcome: Outcome) -> None:
    """One object: exchanges with milliseconds, who hung up, seconds heard."""
    Console().print_json(
        json.dumps(
            {
                "exchanges": [
                    {
                        "said": e.text,
                        "answer_ms": None
                        if e.answered_at is None
                        else round((e.answered_at - e.spoken_until) * 1000),
                    }
                    for e in outcome.exchanges
                ],
                "ended_by": outcome.ended_by,
                "heard_seconds": round(outcome.heard_seconds, 2),
            }
        )
    )


async def _call(
    words: list[str], sip: tuple[str, int], to: str, caller: str, voice: str
) -> Outcome:
    async with Espeak() as espeak:
        return await place(sip, to, caller, await spoken(espeak, words, voice))
