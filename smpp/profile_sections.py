"""The tables of a carrier's profile: what each key is when the file says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from smpp import profile_kinds as kinds
from smpp.ids import IdRule
from smpp.national import Language
from smpp.pdu import Tlvs
from smpp.profile_keys import ProfileError, Section, key
from smpp.style import Concatenation, DefaultAlphabet


class Mode(Enum):
    """Which binds a carrier wants, §2.2."""

    TRX = "trx"  #: transceivers
    TX_RX = "tx_rx"  #: a transmitter and a receiver each
    TX = "tx"  #: transmitters only: no receipts, no texts from handsets
    RX = "rx"  #: receivers only


class TlsVersion(Enum):
    """The oldest TLS that is accepted."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class Meaning(Enum):
    """What a refusal of submit_sm asks of us."""

    THROTTLED = "throttled"  #: too fast: the same message again, later
    OPTED_OUT = "opted_out"  #: the recipient wants nothing of us: never again
    PERMANENT = "permanent"  #: it will be refused each time
    TEMPORARY = "temporary"  #: anything else: it may be sent again


# -- sections ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Binds(Section):
    """`[bind]`: how we bind."""

    mode: Mode = key(
        Mode.TRX,
        kinds.choice(Mode),
        "transceivers, pairs of transmitter and receiver, or one kind only",
    )
    per_host: int = key(1, kinds.whole(1, 100), "binds or pairs at each host")
    system_type: str = key("", kinds.text(12), "system_type of the bind, if the carrier asks")
    address_range: str = key("", kinds.text(40), "address_range of the bind, §5.2.7, likewise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls(Section):
    """`[tls]`: encryption."""

    on: bool = key(False, kinds.FLAG, "whether the carrier's port speaks TLS")
    verify: bool = key(True, kinds.FLAG, "whether the certificate must be valid for the host")
    server_name: str = key(
        "",
        kinds.word(r"[A-Za-z0-9._-]{0,253}", "a host name"),
        "name in SNI and in the certificate; empty: the name of the host",
    )
    ca_file: Path | None = key(
        None, kinds.FILE, "PEM with who may sign the certificate; unset: whom the system trusts"
    )
    certificate_file: Path | None = key(None, kinds.FILE, "PEM with our certificate, if asked for")
    key_file: Path | None = key(None, kinds.FILE, "PEM with its key, without a pass phrase")
    minimum: TlsVersion = key(TlsVersion.TLS_1_2, kinds.choice(TlsVersion), "oldest version")

    def _agree(self) -> None:
        if (self.certificate_file is None) is not (self.key_file is None):
            raise ProfileError("certificate_file and key_file go together; allowed: both or none")
        if not self.on and (self.server_name or self.ca_file or self.certificate_file):
            raise ProfileError("on is false, but other keys are set; allowed: on = true with them")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Section):
    """`[session]`: the limits and timers of each bind."""

    window: int = key(10, kinds.whole(1, 10_000), "submit_sm under way at once")
    rate: float = key(
        0.0,
        kinds.number(0.01, 100_000, "segments a second", zero="no limit"),
        "what each bind may submit",
    )
    enquire_link_interval: float = key(
        30.0, kinds.seconds(1, 3600), "silence after which we ask whether the carrier is there"
    )
    inactivity_timeout: float = key(
        0.0,
        kinds.seconds(2, 86_400, zero="not known"),
        "silence after which the carrier closes; must be longer than enquire_link_interval",
    )
    connect_timeout: float = key(10.0, kinds.seconds(0.1, 300), "for the connection, with TLS")
    response_timeout: float = key(
        10.0, kinds.seconds(0.1, 3600), "for the answer to the bind, and for any other answer"
    )
    throttle_patience: float = key(
        0.0,
        kinds.seconds(0.1, 3600, zero="not at all"),
        "for repeating what the carrier throttles before it is told",
    )
    handler_timeout: float = key(
        8.0, kinds.seconds(0.1, 300), "for storing a deliver_sm before it is refused for now"
    )
    drain_timeout: float = key(5.0, kinds.seconds(0.1, 300), "for the last answers at the end")

    def _agree(self) -> None:
        if 0 < self.inactivity_timeout <= self.enquire_link_interval:
            raise ProfileError(
                f"enquire_link_interval is {self.enquire_link_interval:g}; allowed: less than"
                f" inactivity_timeout, which is {self.inactivity_timeout:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect(Section):
    """`[reconnect]`: the pauses before the next bind, in seconds."""

    first: float = key(1.0, kinds.seconds(0.01, 3600), "after the first failure; then doubled")
    longest: float = key(60.0, kinds.seconds(0.01, 86_400), "at most")
    held: float = key(
        45.0, kinds.seconds(0.01, 3600), "after ESME_RALYBND: our earlier bind still stands there"
    )
    refused: float = key(
        0.0,
        kinds.seconds(1, 86_400, zero="until a person says so"),
        "after a wrong name or password",
    )
    healthy_after: float = key(
        60.0, kinds.seconds(0, 86_400), "a bind that stayed so long was a good one"
    )

    def _agree(self) -> None:
        if self.first > self.longest:
            raise ProfileError(
                f"first is {self.first:g}; allowed: at most longest, which is {self.longest:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts(Section):
    """`[text]`: how texts are written and cut."""

    default_alphabet: DefaultAlphabet = key(
        DefaultAlphabet.GSM7, kinds.choice(DefaultAlphabet), "what data_coding 0 means"
    )
    concatenation: Concatenation = key(
        Concatenation.UDH8,
        kinds.choice(Concatenation),
        "how long texts are cut: header with 8 or 16 bits, sar TLVs, or whole in message_payload",
    )
    national: tuple[Language, ...] = key(
        (), kinds.choices(Language), "national shift tables that may be used"
    )
    replace: bool = key(
        False, kinds.FLAG, "typographic quotes and dashes become their plain cousins"
    )

    def _agree(self) -> None:
        if self.national and self.default_alphabet not in _SHIFTED:
            raise ProfileError(
                'national is set; allowed: with default_alphabet "gsm7" or "packed" only'
            )


_SHIFTED = (DefaultAlphabet.GSM7, DefaultAlphabet.PACKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses(Section):
    """`[addresses]`: TON and NPI, §5.2.5 and §5.2.6."""

    source_number: tuple[int, int] = key((1, 1), kinds.TON_NPI, "of a sender such as +33123456789")
    source_short_code: tuple[int, int] = key((3, 0), kinds.TON_NPI, "of a sender such as 36200")
    source_name: tuple[int, int] = key((5, 0), kinds.TON_NPI, "of a sender such as Segue")
    destination_number: tuple[int, int] = key((1, 1), kinds.TON_NPI, "of a handset")
    destination_short_code: tuple[int, int] = key((3, 0), kinds.TON_NPI, "of a service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit(Section):
    """`[submit]`: what every submit_sm has."""

    registered_delivery: int = key(
        1, kinds.whole(0, 31), "receipts asked for, §5.2.17; 1: of the final state"
    )
    validity: float = key(
        0.0,
        kinds.seconds(60, 31 * 86_400, zero="as the carrier has it"),
        "how long the carrier tries",
    )
    service_type: str = key("", kinds.text(5), "service_type, §5.2.11")
    protocol_id: int = key(0, kinds.whole(0, 255), "protocol_id, §5.2.13")
    priority: int = key(0, kinds.whole(0, 3), "priority_flag, §5.2.14")
    tlvs: Tlvs = key((), kinds.TLVS, "TLVs that the carrier asks for, §5.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts(Section):
    """`[receipts]`: what comes back."""

    id_rule: IdRule | None = key(
        None,
        kinds.choice_or("learned", IdRule),
        "how a receipt writes the id of its submit_sm_resp",
    )
    query: bool = key(
        True, kinds.FLAG, "whether query_sm, §4.8, may ask what became of a text that was lost"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statuses(Section):
    """`[statuses]`: what a refusal of submit_sm means; any other is temporary."""

    throttled: frozenset[int] = key(frozenset({0x14, 0x58}), kinds.STATUSES, "too fast")
    opted_out: frozenset[int] = key(
        frozenset(), kinds.STATUSES, "the recipient wants no texts; often one of 0x400 to 0x4FF"
    )
    permanent: frozenset[int] = key(
        frozenset(
            {0x01, 0x02, 0x03, 0x06, 0x07, 0x0A, 0x0B, 0x15, 0x33, 0x34, 0x40, 0x42, 0x43, 0x44}
            | {0x48, 0x49, 0x50, 0x51, 0x54, 0x55, 0x61, 0x62, 0x63, 0x65, 0x66}
            | {0xC0, 0xC1, 0xC2, 0xC3, 0xC4}
        ),
        kinds.STATUSES,
        "it will be refused each time",
    )

    def _agree(self) -> None:
        twice = (
            self.throttled & self.opted_out
            | self.throttled & self.permanent
            | self.opted_out & self.permanent
        )
        if twice:
            raise ProfileError(
                f"throttled, opted_out and permanent share 0x{min(twice):02X}; allowed: each"
                " status in one of them"
            )

    def meaning(self, status: int) -> Meaning:
        """Of a command_status that is not ESME_ROK."""
        if status in self.throttled:
            return Meaning.THROTTLED
        if status in self.opted_out:
            return Meaning.OPTED_OUT
        return Meaning.PERMANENT if status in self.permanent else Meaning.TEMPORARY
