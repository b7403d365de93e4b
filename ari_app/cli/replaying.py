"""Pure. Replays recorded streams, and says where what comes out is not what was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ari_app.cli.lens import Lens
from ari_app.cli.logged import envelope
from ari_app.conversation.events import (
    DecisionMade,
    Envelope,
    HandoffAcknowledged,
    HandoffDelayed,
    HandoffEscalated,
    HandoffRecorded,
    ReceiptOverdue,
    ReceiptReceived,
    TextBlocked,
    TextCancelled,
    TextDelayed,
    TextExpired,
    TextPromised,
    TextRefused,
    TextResent,
    TextSightLost,
    TextSubmitted,
    Unrecognised,
    name_of,
)
from ari_app.conversation.snapshot import from_text, to_text
from ari_app.conversation.state import Conversation, fold
from ari_app.errors import BundleError, UnreadableEvent
from ari_app.policy.bundle import Bundle
from ari_app.policy.rules import FACTS, Then, decide
from ari_app.store.browsing import Stored

#: Faults that are told; all are counted.
MOST_TOLD = 100
_GREETING = "greeting"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is not as it should be, and where; no value of a person is ever quoted."""

    stream: str
    sequence: int
    what: str

    def __str__(self) -> str:
        return f"{self.stream} {self.sequence}: {self.what}"


@dataclass(slots=True)
class Replayed:
    """What a replay has found so far."""

    streams: int = 0
    events: int = 0
    newer: int = 0  # events of a newer program: carried, not understood
    erased: int = 0  # events whose payload has been erased: passed over
    decisions: int = 0
    same: int = 0  # decided again, and the same came out
    other_bundles: Counter[str] = field(default_factory=Counter)
    unknowable: int = 0  # not all that was looked at is recorded
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)

    def fault(self, stream: str, sequence: int, what: str) -> None:
        """Note one."""
        self.fault_count += 1
        if len(self.faults) < MOST_TOLD:
            self.faults.append(Fault(stream, sequence, what))


class Replay:
    """Replays one stream after the other; what it finds is in `found`."""

    def __init__(self, lens: Lens, bundle: Bundle) -> None:
        """`lens` reveals: a state that is masked would be another one."""
        self._lens = lens
        every = (bundle, *bundle.translations.values())
        self._bundles = {each.hash: each for each in every}
        self.found = Replayed()

    def stream(self, stream: str, events: Sequence[Stored], head: int | None) -> Conversation:
        """The state after these events; `head` is where the stream ends, None if it was cut."""
        self.found.streams += 1
        self.found.events += len(events)
        self._in_order(stream, events, head)
        envelopes = self._readable(stream, events)
        if len(envelopes) == len(events):  # else what is referred to may be what is missing
            self._refer_back(stream, envelopes)
        for one in envelopes:
            if isinstance(one.event, DecisionMade):
                self._decide_again(one, one.event)
        return self._fold(stream, envelopes)

    def _in_order(self, stream: str, events: Sequence[Stored], head: int | None) -> None:
        fault = self.found.fault
        sequences = {event.id: event.sequence for event in events}
        last, place = 0, 0
        for event in events:
            if event.sequence != last + 1:
                fault(stream, event.sequence, f"there is a gap after event {last}")
            if event.place <= place:
                fault(stream, event.sequence, "stands in the log before the event it follows")
            if event.cause in sequences and sequences[event.cause] >= event.sequence:
                fault(stream, event.sequence, "was caused by an event that did not come earlier")
            last, place = event.sequence, event.place
        if head is not None and last != head:
            fault(stream, last, f"is the last event, but the head of the stream says {head}")

    def _readable(self, stream: str, events: Sequence[Stored]) -> list[Envelope]:
        envelopes = []
        for event in events:
            seen = self._lens.see(event)
            if seen.gone:
                self.found.erased += 1
                continue
            for name in seen.broken:
                self.found.fault(stream, event.sequence, f"{name} is not what was sealed there")
            try:
                one = envelope(event, seen)
            except UnreadableEvent as error:
                self.found.fault(stream, event.sequence, str(error))
                continue
            self.found.newer += isinstance(one.event, Unrecognised)
            envelopes.append(one)
        return envelopes

    def _refer_back(self, stream: str, envelopes: Sequence[Envelope]) -> None:
        """What becomes of a text or a hand-off comes after it was promised."""
        known: set[str] = set()
        for one in envelopes:
            match one.event:
                case TextPromised(message=id) | HandoffRecorded(handoff=id):
                    known.add(id)
                case (
                    TextSubmitted(message=id)
                    | TextDelayed(message=id)
                    | TextRefused(message=id)
                    | TextSightLost(message=id)
                    | TextResent(message=id)
                    | TextExpired(message=id)
                    | TextBlocked(message=id)
                    | TextCancelled(message=id)
                    | ReceiptReceived(message=id)
                    | ReceiptOverdue(message=id)
                    | HandoffAcknowledged(handoff=id)
                    | HandoffDelayed(handoff=id)
                    | HandoffEscalated(handoff=id)
                ):
                    if id not in known:
                        what = f"{name_of(one.event)[0]} of {id}, which was not promised before"
                        self.found.fault(stream, one.sequence, what)
                case _:
                    pass

    def _fold(self, stream: str, envelopes: Sequence[Envelope]) -> Conversation:
        """In one go, and once more from a snapshot in the middle."""
        state = fold(envelopes)
        middle = len(envelopes) // 2
        snapshot = from_text(to_text(fold(envelopes[:middle])))
        if snapshot is None or fold(envelopes[middle:], snapshot) != state:
            self.found.fault(stream, state.sequence, "folds to another state from a snapshot")
        return state

    # -- decisions ----------------------------------------------------------------------------

    def _decide_again(self, one: Envelope, decision: DecisionMade) -> None:
        found = self.found
        found.decisions += 1
        bundle = self._bundles.get(decision.bundle)
        if bundle is None:
            found.other_bundles[decision.bundle] += 1
            return
        again = decided_again(bundle, decision)
        if again is None:
            found.unknowable += 1
            return
        differences = [
            f"{name} was {getattr(decision, name)!r} and is {value!r}"
            for name, value in again.items()
            if getattr(decision, name) != value
        ]
        found.same += not differences
        for difference in differences:
            found.fault(one.stream, one.sequence, f"decided again: {difference}")


def decided_again(bundle: Bundle, decision: DecisionMade) -> dict[str, Any] | None:
    """What the bundle decides on what the decision saw; None if not all of that is recorded.

    Exact: a decision depends on nothing but its bundle and its inputs (see agent/turn.py).
    """
    inputs = decision.inputs
    if decision.rule == _GREETING and not inputs:
        return {"actions": (f"ask {bundle.opening}",), "question": bundle.opening}
    if not inputs.keys() >= FACTS:
        return None
    try:
        rule = decide(bundle.rules, inputs)
    except BundleError:
        return {"rule": None}
    topic = rule.then.topic or inputs["topic"]
    then = about(rule.then, topic)
    return {
        "rule": rule.name,
        "actions": then.names(),
        "intent": inputs["intent"],
        "confidence": round(inputs["sure"], 4),
        "topic": topic,
        "question": _question(bundle, then, inputs["question"]),
    }


def about(then: Then, topic: str | None) -> Then:
    """The actions of a rule once `{topic}` is known."""

    def filled(name: str | None) -> str | None:
        return name.replace("{topic}", topic or "") if name else name

    say = tuple(name.replace("{topic}", topic or "") for name in then.say)
    return replace(then, say=say, ask=filled(then.ask), text=filled(then.text))


def _question(bundle: Bundle, then: Then, before: str | None) -> str | None:
    if then.ask == "same" or (then.wait and not then.ask):
        return before or bundle.opening
    if then.ask:
        return then.ask
    text = bundle.texts.get(then.text) if then.text else None
    return text.question if text else None
