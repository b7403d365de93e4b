"""What can happen to a call besides what is an event, in the order in which it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum


class CallerGone(Exception):
    """The caller has hung up, or the call was taken from us."""


class Evicted(Exception):
    """The call must end here now, though the caller is there."""


class Sign(Enum):
    """Something without more to be said about it."""

    MEDIA_GONE = "media_gone"  #: the caller's leg has ended by itself: it must be made anew
    ANSWERED = "answered"  #: a person's phone was picked up
    WHISPERED = "whispered"  #: the person has heard all of the whisper
    SPOKEN = "spoken"  #: the caller has heard all of what was said while nobody took the call
    DUE = "due"  #: somebody has been waited for long enough


@dataclass(frozen=True, slots=True)
class PhoneGone:
    """A person's phone is there no more; as of `CallEvents.leg_gone`."""

    cause: int
    status: int


@dataclass(frozen=True, slots=True)
class PhoneKey:
    """A person pressed a key."""

    key: str


Told = Sign | PhoneGone | PhoneKey


@dataclass(frozen=True, slots=True)
class OfPhone:
    """What a phone did; by the time it is taken, the next one may ring."""

    phone: str
    told: Told


#: The next thing that happens to the call; CallerGone or Evicted instead when it is over.
Next = Callable[[], Awaitable[object]]
