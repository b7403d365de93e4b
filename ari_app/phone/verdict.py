"""Pure. What a synthetic call found out: its steps in order, and what to look at if one failed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """The steps of a synthetic call; the values are labels of metrics."""

    CALL = "call"  #: INVITE to its answer
    DISCLOSURE = "disclosure"  #: the answer to the first packet of the disclosure
    QUESTION = "question"  #: the end of the disclosure to the beginning of the question
    REPLY = "reply"  #: the end of our words or key to the first packet of the reply
    LOG = "log"  #: the end of the call to the last event about it


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `seconds` is None where it never came to its end."""

    stage: Stage
    ok: bool
    seconds: float | None
    said: str  # what was found, without a caller's words
    look_at: str = ""  # if it failed


@dataclass(frozen=True, slots=True)
class Verdict:
    """A whole synthetic call; `conversation` is what the log calls it, if it is known."""

    steps: tuple[Step, ...]
    conversation: str | None = None
    received: int = 0  # packets of the far side
    missing: int = 0  # ... and those that its timestamps say should have been there

    @property
    def failed(self) -> Step | None:
        """The first step that failed."""
        return next((step for step in self.steps if not step.ok), None)

    @property
    def ok(self) -> bool:
        """Whether all went well."""
        return self.failed is None

    def slowest(self) -> dict[Stage, float]:
        """The longest time of each stage that was measured."""
        times: dict[Stage, float] = {}
        for step in self.steps:
            if step.seconds is not None:
                times[step.stage] = max(times.get(step.stage, 0.0), step.seconds)
        return times

    def plain(self) -> dict[str, object]:
        """As JSON-ready values."""
        return {
            "ok": self.ok,
            "failed": self.failed.stage.value if self.failed else None,
            "conversation": self.conversation,
            "packets": {"received": self.received, "missing": self.missing},
            "steps": [
                {
                    "step": step.stage.value,
                    "ok": step.ok,
                    "seconds": None if step.seconds is None else round(step.seconds, 4),
                    "said": step.said,
                    "look_at": step.look_at,
                }
                for step in self.steps
            ],
        }
