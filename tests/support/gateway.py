"""A carrier that does what a test tells it."""

from __future__ import annotations

from typing import Any

from ari_app.errors import SmsRefused, SmsUnknown
from ari_app.ports import Accepted, OutgoingText
from smpp.carrier import Account
from smpp.ids import IdRule
from smpp.profile import Profile
from smpp.profile_kinds import Host
from smpp.profile_sections import Receipts, Reconnect, Session, Tls


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


def carrier(
    port: int,
    *,
    host: str = "127.0.0.1",
    name: str = "main",
    window: int = 10,
    response_timeout: float = 10.0,
    id_rule: IdRule | None = None,
    tls: Tls | None = None,
    **session: Any,
) -> Profile:
    """The profile of one that comes back at once."""
    return Profile(
        name=name,
        hosts=(Host(host, port),),
        session=Session(window=window, response_timeout=response_timeout, **session),
        reconnect=Reconnect(first=0.01, longest=0.05, held=0.05),
        receipts=Receipts(id_rule=id_rule),
        tls=tls or Tls(),
    )


OURS = Account(system_id="segue", password="secret")
