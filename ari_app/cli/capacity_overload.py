"""More callers than may come in: who is let in, who is sent to people, and whom it hurts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ari_app.cli.capacity_levels import quantile
from ari_app.cli.crowd import Crowd, Talk, conversation
from ari_app.cli.stage import DID, Stage
from ari_app.phone.arrivals import Reception, reception
from ari_app.phone.caller import Line
from ari_app.phone.likeness import RATE, find

_FIRST_WORD = 8.0
_SURE = 1.0  # seconds behind the length of the disclosure: then it must have been heard
_STAY = 3.0  # how long those who are sent away stay on, so that it is seen whether they can
_WITHIN = 2.0  # all call within so many seconds
_GIVEN_BACK = "does not serve this call"  # as app-down.conf says it


@dataclass(frozen=True, slots=True)
class Overload:
    """As the callers and Asterisk's own log tell it."""

    offered: int
    admitted: int  # heard the disclosure
    to_people: int  # heard another voice, and stayed on the line
    dropped: int  # refused, hung up on, or left in silence
    told: int  # calls that the dialplan got back as `overload`
    missing: int  # packets that admitted callers did not get
    wait: float  # p95 of the first replies to admitted callers, seconds


async def overloaded(
    stage: Stage, offered: int, disclosure: npt.NDArray[np.int16], scripts: Sequence[Sequence[Line]]
) -> Overload:
    """All of them call at about the same time."""
    admitted: list[Talk] = []
    away: list[Talk] = []
    talk_on = conversation(scripts)

    async def course(talk: Talk) -> None:
        phone = talk.phone
        began = await phone.until_prompt(_FIRST_WORD)
        await asyncio.sleep(disclosure.size / RATE + _SURE)
        found = await asyncio.to_thread(find, disclosure, phone.heard(began - 0.1))
        if found.heard:
            admitted.append(talk)
            await talk_on(talk)
            return
        await asyncio.sleep(_STAY)
        if phone.up:
            away.append(talk)

    crowd = Crowd(stage.sip, DID, course)
    before = _given_back(stage)
    try:
        calls = []
        for _ in range(offered):
            calls.append(asyncio.create_task(crowd.one()))
            await asyncio.sleep(_WITHIN / offered)
        await asyncio.gather(*calls)
    finally:
        await crowd.aclose()
    heard = Reception()
    for talk in admitted:
        heard += reception(talk.phone.packets)
    cut_off = [talk for talk in admitted if not talk.exchanges]
    waits = [
        exchange.answered_at - exchange.spoken_until
        for talk in admitted
        for exchange in talk.exchanges[:1]
        if exchange.answered_at is not None
    ]
    return Overload(
        offered=offered,
        admitted=len(admitted),
        to_people=len(away),
        dropped=offered - len(admitted) - len(away) + len(cut_off),
        told=_given_back(stage) - before,
        missing=heard.missing,
        wait=quantile(waits, 95),
    )


def _given_back(stage: Stage) -> int:
    """How often the dialplan has got a call back as `overload`, as Asterisk has logged it."""
    facts = json.loads((stage.folder / "pbx.ready.json").read_text(encoding="utf-8"))
    with open(f"{facts['home']}/log/full", encoding="utf-8", errors="replace") as log:
        # The step itself is logged too, as "Executing [s@app-down:1] Verbose(…".
        return sum(
            _GIVEN_BACK in line and " overload" in line and "Executing" not in line for line in log
        )
