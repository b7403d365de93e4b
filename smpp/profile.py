"""
What carriers disagree on, as one value that is read from TOML.

Every key has a default that suits most carriers; a profile says only where its carrier differs.
Who we are there (system_id, password, sender) is not in it, so that profiles can be shared.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from smpp import profile_kinds as kinds
from smpp.address import Address
from smpp.errors import LocalProtocolError
from smpp.profile_keys import Section, key
from smpp.profile_kinds import Host
from smpp.profile_sections import (
    Addresses,
    Binds,
    Receipts,
    Reconnect,
    Session,
    Statuses,
    Submit,
    Texts,
    Tls,
)
from smpp.style import TextStyle

_NAME = kinds.word(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "1 to 64 letters, digits, '.', '-' or '_'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(Section):
    """One carrier's demands."""

    name: str = key("default", _NAME, "the carrier in logs, events and metrics")
    hosts: tuple[Host, ...] = key((), kinds.HOSTS, "its SMSCs; each gets its binds")
    bind: Binds = field(default=Binds())
    tls: Tls = field(default=Tls())
    session: Session = field(default=Session())
    reconnect: Reconnect = field(default=Reconnect())
    texts: Texts = field(default=Texts(), metadata={"table": "text"})
    addresses: Addresses = field(default=Addresses())
    submit: Submit = field(default=Submit())
    receipts: Receipts = field(default=Receipts())
    statuses: Statuses = field(default=Statuses())

    @property
    def text(self) -> TextStyle:
        """How `split` and `preview` are to write."""
        return TextStyle(
            default_alphabet=self.texts.default_alphabet,
            concatenation=self.texts.concatenation,
            national=self.texts.national,
            replace=self.texts.replace,
        )

    def source(self, written: str) -> Address:
        """The sender on the wire; LocalProtocolError if it is no number, short code or name."""
        return Address.of(
            written,
            international=self.addresses.source_number,
            short_code=self.addresses.source_short_code,
            name=self.addresses.source_name,
        )

    def destination(self, written: str) -> Address:
        """The recipient on the wire; LocalProtocolError if it is no number or short code."""
        address = Address.of(
            written,
            international=self.addresses.destination_number,
            short_code=self.addresses.destination_short_code,
        )
        if not address.digits.isdecimal():
            raise LocalProtocolError("a recipient is a number or a short code")
        return address
