"""What every call works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ari_app.agent.turn import Agent
from ari_app.calls.comfort import Comfort
from ari_app.conversation.identity import E164
from ari_app.policy.callbacks import may_be_called
from ari_app.ports import (
    Clock,
    Lines,
    Meter,
    Recognisers,
    Recordings,
    Store,
    Telephone,
    Voice,
)
from ari_app.projections.persons import Persons


@dataclass(frozen=True, slots=True)
class Instruments:
    """What every call works with."""

    telephone: Telephone
    lines: Lines
    recognisers: Recognisers
    voice: Voice
    agent: Agent
    store: Store
    persons: Persons
    recordings: Recordings
    clock: Clock
    meter: Meter
    subject_key: bytes
    region: str | None  # how national numbers of callers are read
    no_input: float  # seconds of silence that are an answer
    #: A line's statistics, with what the PBX says of the trunk beside them.
    with_trunk: Callable[[Mapping[str, int], Mapping[str, object]], dict[str, int]]
    #: What a caller hears who waits for a person: one ring-back tone and its pause (mu-law).
    hold: bytes
    comfort: Comfort = Comfort(0.0, b"")  # of callers who wait; none
    #: Whether a number may be called back.
    may_be_called: Callable[[E164], bool] = may_be_called
