"""Finding a person for one caller, as a pure machine over what their phones do and `now`.

The agents of the policy are tried in their order. Whoever picks up hears the whisper, at most
three times, and takes the caller by a key; only then the two are joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ari_app.policy.people import Agent, Outcome, Reach, missed

_ROUNDS = 3  # of the whisper
_KEY_PATIENCE = 4.0  # seconds after each of them
_WHISPER = 30.0  # seconds that one may take at most


class Phase(Enum):
    """What the phone that is tried now does."""

    IDLE = "idle"
    RINGING = "ringing"
    WHISPERING = "whispering"  #: it was picked up
    JOINED = "joined"  #: the caller was taken
    OVER = "over"  #: nobody is left, or nobody is waited for any more


@dataclass(frozen=True, slots=True)
class Ring:
    """Let this phone ring."""

    agent: Agent


@dataclass(frozen=True, slots=True)
class Missed:
    """This phone is done with; `hang_up` says whether it is still there."""

    agent: Agent
    outcome: Outcome
    hang_up: bool
    cause: int = 0
    status: int = 0


class Do(Enum):
    """A step without more to be said about it."""

    WHISPER = "whisper"  #: say who waits, to the person alone
    JOIN = "join"  #: the person takes the caller
    NOBODY = "nobody"  #: all have been tried


Step = Ring | Missed | Do


class Ringing:
    """One phone after the other; every Ring is followed by exactly one Missed or Do.JOIN."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._left = list(reach.agents)
        self._agent: Agent | None = None
        self._rounds = 0
        self._deadline: float | None = None
        self.phase = Phase.IDLE

    def start(self, now: float) -> list[Step]:
        """Begin with the first."""
        return self._next(now)

    def picked_up(self, now: float) -> list[Step]:
        """The phone that rings has been answered."""
        if self.phase is not Phase.RINGING:
            return []
        self.phase = Phase.WHISPERING
        return self._whisper(now)

    def whispered(self, now: float) -> list[Step]:
        """The whisper was heard to its end."""
        if self.phase is Phase.WHISPERING:
            self._deadline = now + _KEY_PATIENCE
        return []

    def key(self, key: str, now: float) -> list[Step]:
        """The person pressed a key."""
        if self.phase is not Phase.WHISPERING:
            return []
        if key == self._reach.accept:
            self.phase, self._deadline = Phase.JOINED, None
            return [Do.JOIN]
        if key == self._reach.decline:
            return self._missed(Outcome.DECLINED, now, hang_up=True)
        return []

    def gone(self, cause: int, status: int, now: float) -> list[Step]:
        """The phone has ended by itself: `cause` of Q.850, `status` of SIP, 0 if unknown."""
        match self.phase:
            case Phase.RINGING:
                return self._missed(missed(cause, status), now, cause=cause, status=status)
            case Phase.WHISPERING:
                return self._missed(Outcome.DECLINED, now, cause=cause, status=status)
            case _:
                return []

    def unreachable(self, now: float) -> list[Step]:
        """The phone could not be made to ring, to speak, or to be joined with the caller."""
        if self.phase in (Phase.RINGING, Phase.WHISPERING, Phase.JOINED):
            return self._missed(Outcome.UNREACHABLE, now, hang_up=True)
        return []

    def caller_gone(self) -> list[Step]:
        """Nobody waits any more; whoever took the caller is not this machine's to let go."""
        if self.phase is Phase.JOINED:
            return []
        phase, self.phase, self._deadline = self.phase, Phase.OVER, None
        if phase in (Phase.RINGING, Phase.WHISPERING):
            assert self._agent is not None
            return [Missed(self._agent, Outcome.CALLER_GONE, hang_up=True)]
        return []

    def due(self, now: float) -> bool:
        """Whether it is time for `tick`."""
        return self._deadline is not None and now >= self._deadline

    def tick(self, now: float) -> list[Step]:
        """Time has passed."""
        if not self.due(now):
            return []
        if self.phase is Phase.RINGING:
            return self._missed(Outcome.NO_ANSWER, now, hang_up=True)
        if self.phase is Phase.WHISPERING and self._rounds < _ROUNDS:
            return self._whisper(now)
        return self._missed(Outcome.SILENT, now, hang_up=True)

    def _whisper(self, now: float) -> list[Step]:
        self._rounds += 1
        self._deadline = now + _WHISPER
        return [Do.WHISPER]

    def _missed(
        self,
        outcome: Outcome,
        now: float,
        *,
        hang_up: bool = False,
        cause: int = 0,
        status: int = 0,
    ) -> list[Step]:
        assert self._agent is not None
        return [Missed(self._agent, outcome, hang_up, cause, status), *self._next(now)]

    def _next(self, now: float) -> list[Step]:
        if not self._left:
            self.phase, self._deadline = Phase.OVER, None
            return [Do.NOBODY]
        self._agent = self._left.pop(0)
        self._rounds = 0
        self._deadline = now + self._agent.ring
        self.phase = Phase.RINGING
        return [Ring(self._agent)]
