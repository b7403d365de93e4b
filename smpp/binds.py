"""What a pool asks of a bind, what a bind tells it, and what the pool tells of its binds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from smpp.errors import BindRefused
from smpp.pdu import Pdu
from smpp.protocol import Request
from smpp.texts import Sink, Text


class Bind(Protocol):
    """What the pool asks of a bind; Esme is one."""

    @property
    def up(self) -> bool:
        """Whether it could submit."""

    @property
    def room(self) -> int:
        """How many more messages it takes."""

    @property
    def link_number(self) -> int:
        """How many connections it has made."""

    def start(self) -> None:
        """Keep connected, in the background."""

    def retry(self) -> None:
        """Connect now, if it waits: somebody has put right what was refused."""

    async def wait_up(self, timeout: float) -> None:
        """Return when up; TimeoutError otherwise."""

    def submit_octets(self, texts: Sequence[Text], sink: Sink) -> None:
        """Write their parts consecutively; NotSent if it takes none of them.

        The sink is told every part's fate, also when the connection ends. What ends NotSent was
        not written, nor was any text for the same recipient that was submitted later.
        """

    async def request(self, pdu: Request) -> Pdu:
        """Ask, and wait for the answer; NotSent, SessionClosed (AnswerTimeout), CommandError."""

    async def aclose(self, drain: float | None = None) -> None:
        """Drain, for so many seconds if they are given; unbind, close."""


# -- events -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BindUp:
    """A bind can be used."""

    bind: str


@dataclass(frozen=True, slots=True)
class BindDown:
    """A bind cannot be used until it says that it is up again."""

    bind: str
    reason: str


@dataclass(frozen=True, slots=True)
class BindAlarm:
    """A bind was refused for good: a person must look at name and password."""

    bind: str
    error: BindRefused


Event: TypeAlias = BindUp | BindDown | BindAlarm


@dataclass(frozen=True, slots=True)
class Watch:
    """What a bind calls when something happens to it."""

    up: Callable[[], None]
    down: Callable[[str], None]
    alarm: Callable[[BindRefused], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a bind of the pool is made, and what for."""

    name: str  #: in events, logs and metrics
    make: Callable[[Watch], Bind]
    submits: bool = True  #: False: a receiver, §2.2


@dataclass(frozen=True, slots=True)
class Standing:
    """How one bind stands, for a person."""

    bind: str
    submits: bool
    up: bool
    under_way: int  #: segments
