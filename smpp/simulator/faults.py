"""The switches: how the simulated SMSC may misbehave, each with its meaning. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

from smpp.constants import MESSAGE_STATES, Status
from smpp.errors import SmppError
from smpp.simulator.chance import delay, fates

_T = TypeVar("_T")

_MOST = 0xFFFFFFFF
_YES = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


class FaultError(SmppError):
    """There is no such fault, or it cannot have that value; the text says what is allowed."""


def _fault(
    default: _T,
    group: str,
    meaning: str,
    *,
    choices: tuple[str, ...] = (),
    check: Callable[[str], object] | None = None,
) -> _T:
    metadata = {"group": group, "meaning": meaning, "choices": choices, "check": check}
    made: Any = field(default=default, metadata=metadata)
    return made  # type: ignore[no-any-return]  # dataclass makes the default of it


@dataclass(slots=True)
class Faults:
    """How to misbehave; may be changed while it runs, each by itself. A new one does nothing."""

    bind_status: int = _fault(0, "bind", "refuse every bind with this status")
    any_password: bool = _fault(False, "bind", "let everybody bind, whatever the password")
    most_binds: int = _fault(0, "bind", "binds of one system_id; more are ESME_RALYBND; 0: any")
    bind_unanswered: bool = _fault(False, "bind", "say nothing to a bind")
    deliver_first: bool = _fault(False, "bind", "enquire_link and deliver_sm before bind_resp")

    throttle_first: int = _fault(0, "submit", "so many submit_sm are throttled, counting down")
    throttle_every: int = _fault(0, "submit", "throttle every so manieth submit_sm; 0: none")
    throttle_above: float = _fault(0.0, "submit", "throttle what is beyond so many a second; 0: no")
    throttle_status: int = _fault(Status.ESME_RTHROTTLED, "submit", "the status that throttles")
    queue_limit: int = _fault(
        100_000, "submit", "texts that may wait for their receipts; more are ESME_RMSGQFUL"
    )
    refuse_status: int = _fault(0, "submit", "refuse submit_sm with this status, 0x400 and up too")
    refuse_share: float = _fault(1.0, "submit", "the share of submit_sm that is refused so")
    refuse_by: str = _fault(
        "response",
        "submit",
        "refuse by a response, by generic_nack, or by generic_nack of sequence 0",
        choices=("response", "nack", "nack0"),
    )
    never_answer: bool = _fault(False, "submit", "take submit_sm and say nothing")
    answer_delay: str = _fault(
        "", "submit", "seconds before a response: 2, 1-3, 2~0.8", check=delay
    )
    hex_ids: bool = _fault(False, "submit", "ids are hexadecimal in the response, else decimal")

    no_receipts: bool = _fault(False, "receipt", "never send one")
    receipt_ids: str = _fault(
        "",
        "receipt",
        "how a receipt writes the id; empty: decimal",
        choices=("", "same", "decimal", "hex", "lower", "upper", "padded"),
    )
    receipt_delay: str = _fault(
        "", "receipt", "seconds until one: 2, 1-3, 2~0.8 or carrier; empty: as it was started",
        check=delay,
    )  # fmt: skip
    receipt_state: str = _fault(
        "DELIVRD", "receipt", "what becomes of texts", choices=tuple(MESSAGE_STATES.values())
    )
    failures: str = _fault(
        "", "receipt", "of some, by chance: UNDELIV=0.05/006,EXPIRED=0.01", check=fates
    )
    receipt_first: bool = _fault(False, "receipt", "deliver_sm before its submit_sm_resp")
    intermediate_first: bool = _fault(False, "receipt", "an ENROUTE before the last state")
    duplicate_receipts: bool = _fault(False, "receipt", "each receipt twice")
    receipts_elsewhere: bool = _fault(False, "receipt", "on another bind than the text came by")
    receipt_tlvs: bool = _fault(True, "receipt", "receipts have TLVs; else their text only")
    receipt_text: bool = _fault(True, "receipt", "receipts have a text; else their TLVs only")
    receipt_form: str = _fault(
        "standard",
        "receipt",
        "how the text of a receipt is written",
        choices=("standard", "words", "cut", "nonsense", "ucs2", "payload", "unmarked", "data_sm"),
    )

    mo_parts: str = _fault(
        "in order",
        "handset",
        "how the parts of a long text from a handset come",
        choices=("in order", "reversed", "twice", "last lost"),
    )

    silent: bool = _fault(False, "session", "say nothing at all, and keep the connection")
    deaf_to_enquire_link: bool = _fault(False, "session", "do not answer enquire_link")
    drop_after: int | None = _fault(
        None, "session", "close at so many submit_sm from now on, without answer; empty: never"
    )
    lose_last: int = _fault(
        0, "session", "so many of the last before drop_after are taken and not answered"
    )
    vendor_tlvs: bool = _fault(False, "session", "TLVs that nobody knows in everything sent")
    write_in: str = _fault(
        "whole",
        "session",
        "cut what is written into halves of PDUs, or into octets",
        choices=("whole", "halves", "octets"),
    )


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One switch, for those who draw it."""

    name: str
    group: str
    meaning: str
    default: object
    choices: tuple[str, ...]


def describe() -> list[FaultRow]:
    """Every switch, in order."""
    return [
        FaultRow(f.name, m["group"], m["meaning"], f.default, m["choices"])
        for f in fields(Faults)
        for m in (f.metadata,)
    ]


def change(faults: Faults, changes: Mapping[str, object]) -> None:
    """Set these, all or none; FaultError says which one cannot be."""
    checked = {name: _checked(name, value) for name, value in changes.items()}
    for name, value in checked.items():
        setattr(faults, name, value)


def read(written: str) -> tuple[str, object]:
    """A switch written NAME=VALUE; NAME alone is yes. FaultError for nonsense.

    A status may be its name (ESME_RMSGQFUL) or hexadecimal (0x58).
    """
    name, equals, raw = written.partition("=")
    name, raw = name.strip().replace("-", "_"), raw.strip()
    default = _field(name).default
    value: object = raw
    if isinstance(default, bool):
        value = _YES.get(raw.lower(), raw) if equals else True
    elif isinstance(default, int | float) or default is None:
        value = _number(raw)
    return name, _checked(name, value)


def _number(raw: str) -> object:
    if not raw:
        return None
    if raw.upper() in Status.__members__:
        return int(Status[raw.upper()])
    for kind in (lambda: int(raw, 0), lambda: float(raw)):
        try:
            return kind()
        except ValueError:
            pass
    return raw


def _field(name: str) -> Any:
    for one in fields(Faults):
        if one.name == name:
            return one
    raise FaultError(f"no such fault: {name[:40]!r}")


def _checked(name: str, value: object) -> object:
    of = _field(name)
    allowed = _allowed(of.default, of.metadata, value)
    if allowed is not None:
        raise FaultError(f"no such value: {name}; allowed: {allowed}")
    return float(value) if isinstance(of.default, float) else value  # type: ignore[arg-type]


def _allowed(default: object, metadata: Mapping[str, Any], value: object) -> str | None:
    """What would be allowed, if this is not."""
    assert default is not MISSING
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "yes or no"
    if default is None and value is None:
        return None
    if default is None or isinstance(default, int):
        whole = isinstance(value, int) and not isinstance(value, bool)
        least = 1 if default is None else 0
        return None if whole and least <= value <= _MOST else f"a number from {least}"  # type: ignore[operator]
    if isinstance(default, float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if number and 0 <= value < math.inf else "a number from 0"  # type: ignore[operator]
    return _allowed_text(metadata, value)


def _allowed_text(metadata: Mapping[str, Any], value: object) -> str | None:
    if metadata["choices"]:
        return None if value in metadata["choices"] else ", ".join(metadata["choices"])
    if not isinstance(value, str) or len(value) > 200:
        return "a short text"
    try:
        if value:
            metadata["check"](value)
    except ValueError as error:
        return str(error)
    return None
