"""A call-back is promised: the fact, and the timer that reminds of it."""

from __future__ import annotations

import os

from ari_app.conversation.events import CallBackRequested
from ari_app.conversation.identity import E164, new_id
from ari_app.ports import Clock, Timer

#: The kind of its timers; the id is `callback:<id>`, then `callback:<id>:<attempts so far>`.
KIND = "callback"


def promise(
    clock: Clock, stream: str, number: E164, did: str, due: int, reason: str
) -> tuple[CallBackRequested, Timer]:
    """To be stored together; `due` in UTC microseconds."""
    id = new_id("back", clock.now(), os.urandom(10))
    wanted = CallBackRequested(callback=id, number=number.value, did=did, due=due, reason=reason)
    return wanted, Timer(id=f"{KIND}:{id}", stream=stream, kind=KIND, due=due)
