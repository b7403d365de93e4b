"""What is given to a bind to be written, and what is told of it afterwards."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from smpp.errors import LocalProtocolError, NotSent, SessionClosed

Token: TypeAlias = Any  #: whatever the sink knows a part by

# Nearly every text has one part, which is never thrown back: those share these.
_ONLY: tuple[int, ...] = (0,)
_NONE: Mapping[int, int] = MappingProxyType({})


class Text:
    """The submit_sm of one text: written consecutively, answered one by one; given once."""

    __slots__ = (
        "account", "bodies", "deadline", "flying", "over", "recipient", "repeat_until", "thrown",
        "tokens", "unsent",
    )  # fmt: skip

    def __init__(
        self,
        recipient: Hashable,
        bodies: Sequence[bytes],
        tokens: Sequence[Token],
        deadline: float = math.inf,
        repeat_until: float | None = None,
    ) -> None:
        """`bodies` are from smpp.hot; `tokens`, one for each, are what the sink knows them by.

        It is not begun after `deadline` (of the loop's clock), nor written again after
        `repeat_until`, which is the deadline unless given.
        """
        if not bodies or len(bodies) != len(tokens):
            raise LocalProtocolError("a text has at least one part, and each part a token")
        self.recipient = recipient
        self.bodies = bodies
        self.tokens = tokens
        self.deadline = deadline
        self.repeat_until = deadline if repeat_until is None else repeat_until
        self.unsent = _ONLY if len(bodies) == 1 else tuple(range(len(bodies)))  # in order
        self.flying = 0  # parts that are written and not answered
        self.thrown = _NONE  # part to status: thrown back for being too fast
        self.over = False
        self.account: Account


@dataclass(slots=True)
class Settled:
    """What has become known since the last time, by token; a token comes in one of the first four.

    A token in `unknown` may come again in `late`, when the SMSC answers after all.
    """

    taken: list[tuple[Token, str]] = field(default_factory=list)  #: the SMSC's message id
    refused: list[tuple[Token, int]] = field(default_factory=list)  #: its command_status
    unknown: list[tuple[Token, SessionClosed]] = field(default_factory=list)  #: perhaps taken
    unsent: list[tuple[Token, NotSent]] = field(default_factory=list)  #: nothing was written
    late: list[tuple[Token, int, str]] = field(default_factory=list)  #: status and message id
    #: From the last submit_sm of `taken` to its answer; 0 if there is none.
    seconds: float = 0.0


class Sink(Protocol):
    """Who wants to know what became of texts."""

    def settle(self, settled: Settled) -> None:
        """A batch: at most one call for each read. Store it all at once."""

    def wanted(self, tokens: Sequence[Token]) -> bool:
        """Whether the text still is to be written; asked just before it is.

        If not, its tokens come back in `Settled.unsent`.
        """


class Account:
    """One sink's batch in the making."""

    __slots__ = ("dirty", "settled", "sink")

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.settled = Settled()
        self.dirty = False
