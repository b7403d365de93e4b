"""A carrier that takes many texts at once, and answers as a test tells it."""

from __future__ import annotations

from collections.abc import Sequence

from ari_app.ports import (
    Accepted,
    Late,
    Lost,
    Outcome,
    Outcomes,
    OutgoingText,
    Receipt,
    Refused,
    Throttled,
)

Fate = Accepted | Refused | Throttled | Lost | Late


class BatchCarrier:
    """The ports BatchGateway and Inquiries; takes everything at once until told otherwise."""

    def __init__(self, room: int = 1000) -> None:
        self._most = room
        self.batches: list[list[OutgoingText]] = []
        #: By message: what it says to each try in turn, then it takes it.
        self.says: dict[str, list[Fate]] = {}
        self.holds = False
        self.knows: dict[str, Receipt] = {}  # by id: what it answers to an inquiry
        self.asked: list[str] = []
        self._held: list[Outcome] = []
        self._told: Outcomes = lambda outcomes: None

    @property
    def room(self) -> int:
        return self._most - len(self._held)

    @room.setter
    def room(self, most: int) -> None:
        self._most = most

    @property
    def sent(self) -> list[str]:
        """The messages in the order in which it got them."""
        return [text.message for batch in self.batches for text in batch]

    def send_many(self, texts: Sequence[OutgoingText], told: Outcomes) -> None:
        self.batches.append(list(texts))
        self._told = told
        self._held += [Outcome(text.message, self._fate(text)) for text in texts]
        if not self.holds:
            self.answer()

    def answer_late(self, message: str, *ids: str, segments: int = 1, refused: str = "") -> None:
        """What was lost is known after all."""
        self._told([Outcome(message, Late("main", ids, segments, refused))])

    def answer(self) -> None:
        """Tell what it has held back, at once."""
        held, self._held = self._held, []
        self._told(held)

    async def inquire(self, carrier: str, id: str) -> Receipt | None:
        self.asked.append(id)
        return self.knows.get(id)

    def _fate(self, text: OutgoingText) -> Fate:
        said = self.says.get(text.message)
        return said.pop(0) if said else Accepted("main", (f"smsc-{text.message}",))
