"""Receipts as carriers write them: appendix B, and what is sent in its name. Pure."""

from __future__ import annotations

import time

from smpp import tlv
from smpp.constants import MESSAGE_STATES, DataCoding, EsmClass, Tag
from smpp.pdu import DataSm, DeliverSm, Tlvs
from smpp.simulator.chance import Fate
from smpp.simulator.faults import Faults
from smpp.simulator.held import Held

_NUMBERS = {state: number for number, state in MESSAGE_STATES.items()}
_WORDS = {"DELIVRD": "DELIVERED", "UNDELIV": "UNDELIVERABLE", "REJECTD": "REJECTED"}
_GSM = 3  # §5.3.2.31


def ids(number: int, faults: Faults) -> tuple[str, str]:
    """The id of a message in its response, and in its receipts."""
    answered = f"{number:X}" if faults.hex_ids else str(number)
    reported = {
        "same": answered,
        "hex": f"{number:X}",
        "lower": answered.lower(),
        "upper": answered.upper(),
        "padded": answered.zfill(12),
    }
    return answered, reported.get(faults.receipt_ids, str(number))


def receipt(held: Held, fate: Fate, faults: Faults, now: float) -> DeliverSm | DataSm:
    """The receipt of a message at `now`, in seconds since 1970; ENROUTE makes it intermediate."""
    form = faults.receipt_form
    kind = EsmClass.INTERMEDIATE if fate.state == "ENROUTE" else EsmClass.RECEIPT
    esm_class = EsmClass.DEFAULT if form == "unmarked" else kind
    text = _text(held, fate, form, now) if faults.receipt_text else b""
    tlvs = _tlvs(held, fate) if faults.receipt_tlvs and form != "nonsense" else ()
    if form in ("payload", "data_sm") and text:
        tlvs, text = (*tlvs, (Tag.MESSAGE_PAYLOAD, text)), b""
    if form == "data_sm":
        return DataSm(
            source=held.destination, destination=held.source, esm_class=esm_class, tlvs=tlvs
        )
    return DeliverSm(
        source=held.destination,
        destination=held.source,
        esm_class=esm_class,
        data_coding=DataCoding.UCS2 if form == "ucs2" else DataCoding.DEFAULT,
        short_message=text,
        tlvs=tlvs,
    )


def _text(held: Held, fate: Fate, form: str, now: float) -> bytes:
    """Appendix B; the first 20 characters of the message are left out."""
    delivered = "001" if fate.state == "DELIVRD" else "000"
    submitted, done = (time.gmtime(at) for at in (held.at, now))
    text = (
        f"id:{held.reported} sub:001 dlvrd:{delivered} "
        f"submit date:{time.strftime('%y%m%d%H%M', submitted)} "
        f"done date:{time.strftime('%y%m%d%H%M', done)} "
        f"stat:{fate.state} err:{fate.error} text:"
    )
    match form:
        case "words":
            text = (
                f"Id:{held.reported} Done Date:{time.strftime('%Y%m%d%H%M%S', done)} "
                f"Err:{fate.error} Stat:{_WORDS.get(fate.state, fate.state)} Text:"
            )
        case "cut":
            text = text[: text.index(" stat:") + 3]
        case "nonsense":
            text = "your message is very important to us"
        case "ucs2":
            return text.encode("utf-16-be")
        case _:
            pass
    return text.encode("ascii")


def _tlvs(held: Held, fate: Fate) -> Tlvs:
    found = [
        tlv.make(Tag.RECEIPTED_MESSAGE_ID, held.reported),
        tlv.make(Tag.MESSAGE_STATE, _NUMBERS.get(fate.state, _NUMBERS["UNKNOWN"])),
    ]
    if fate.error.isdecimal() and 0 < int(fate.error) <= 0xFFFF:
        code = bytes((_GSM,)) + int(fate.error).to_bytes(2, "big")
        found.append((Tag.NETWORK_ERROR_CODE, code))
    return tuple(found)
