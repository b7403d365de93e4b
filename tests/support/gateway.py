"""A carrier that does what a test tells it."""

from __future__ import annotations

from ari_app.errors import SmsRefused, SmsUnknown
from ari_app.ports import Accepted, OutgoingText


class FakeGateway:
    """The port SmsGateway; takes everything until told otherwise, `segments` parts each."""

    def __init__(self, carrier: str = "main", segments: int = 1) -> None:
        self.up = True
        self.sent: list[OutgoingText] = []
        self.fails_with: SmsRefused | SmsUnknown | None = None
        self._carrier = carrier
        self._segments = segments

    async def send(self, text: OutgoingText) -> Accepted:
        if self.fails_with is not None:
            raise self.fails_with
        self.sent.append(text)
        number = len(self.sent)
        return Accepted(self._carrier, tuple(f"{number}-{p}" for p in range(self._segments)))
