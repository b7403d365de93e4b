"""What foreign SMSCs write, octet by octet: `python -m tests.support.foreign.capture FOLDER`.

Each PDU becomes a file `foreign_<peer>_<what>.hex`: a comment with the peer and its version,
then the frame. The client that makes them write is nobody's library, so that no fault of ours
can show in the files.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.foreign.smsc import ForeignSmsc
from tests.support.foreign.smsc_node import PACKAGE, NodeSmsc
from tests.support.foreign.smsc_perl import PerlSmsc, net_smpp

_PATIENCE = 5.0
_HEADER = struct.Struct(">IIII")
_RESPONSE = 0x80000000
_SUBMIT_SM, _DELIVER_SM, _UNBIND, _BIND, _ENQUIRE_LINK = 4, 5, 6, 9, 0x15
_TEXT = (
    b"\0\x03\x0036200\0\x01\x0133123456789\0\0\0\0\0\0\x11\0\0\0\x05hello"  # every receipt, please
)
_BINDS = b"segue\0secret\0\0\x34\0\0\0"


@dataclass(frozen=True)
class Shot:
    """One PDU: what is sent for it after the bind, or asked of the SMSC, and how it behaves."""

    about: str
    wanted: int
    sent: tuple[int, bytes] | None = None
    order: tuple[str, str] | None = None
    conduct: Mapping[str, Any] = field(default_factory=dict)
    bind: bytes = _BINDS


def _receipt(about: str, **conduct: object) -> Shot:
    return Shot(about, _DELIVER_SM, sent=(_SUBMIT_SM, _TEXT), conduct=conduct)


def _text(about: str, text: str) -> Shot:
    return Shot(about, _DELIVER_SM, order=("mo", text))


_EVERY = {
    "bind_resp": Shot("the answer to a bind", _BIND | _RESPONSE),
    "bind_refused": Shot("a wrong password", _BIND | _RESPONSE, bind=b"segue\0guess\0\0\x34\0\0\0"),
    "submit_resp": Shot("a text is taken", _SUBMIT_SM | _RESPONSE, sent=(_SUBMIT_SM, _TEXT)),
    "enquire_link_resp": Shot("still there", _ENQUIRE_LINK | _RESPONSE, sent=(_ENQUIRE_LINK, b"")),
    "unbind": Shot("the SMSC says goodbye", _UNBIND, order=("unbind", "")),
    "unbind_resp": Shot("goodbye", _UNBIND | _RESPONSE, sent=(_UNBIND, b"")),
}
_NODE = {
    **_EVERY,
    "submit_resp_hex": Shot(
        "a text is taken, id in hexadecimal",
        _SUBMIT_SM | _RESPONSE,
        sent=(_SUBMIT_SM, _TEXT),
        conduct={"reply_ids": "hex"},
    ),
    "throttled": Shot(
        "a refusal without a body",
        _SUBMIT_SM | _RESPONSE,
        sent=(_SUBMIT_SM, _TEXT),
        conduct={"throttle": 1},
    ),
    "nack": Shot("an unknown command is refused", _RESPONSE, sent=(0x00010203, b"what")),
    "receipt": _receipt("a receipt with text and TLVs"),
    "receipt_hex": _receipt("a receipt, id in hexadecimal", receipt_ids="hex"),
    "receipt_tlv": _receipt("a receipt without text", form="tlv"),
    "receipt_text": _receipt("a receipt without TLVs", form="text"),
    "receipt_failed": _receipt("a receipt of a failure", states=["UNDELIV"]),
    "receipt_intermediate": _receipt("on its way", states=["ENROUTE", "DELIVRD"]),
    "text_gsm": _text("a text in the GSM alphabet", "12€ [é]"),
    "text_latin1": _text("a text in Latin-1", "leçon à côté"),
    "text_ucs2": _text("a text in UTF-16", "да 😀"),
    "text_segment": _text("the first segment of a long text", "a" * 200),
}
_PERL = {
    **_EVERY,
    "receipt_text": _receipt("a receipt without TLVs"),
    "receipt_both": _receipt("a receipt with text, and an id without NUL", form="both"),
    "receipt_tlv": _receipt("a receipt without text, and an id without NUL", form="tlv"),
    "text_gsm": _text("a text in the GSM alphabet", "12€ [é]"),
    "text_cut_escape": _text("a segment that ends within an escape", "a" * 152 + "€" * 10),
    "text_cut_pair": _text("a segment that ends within a pair", "я" * 66 + "😀" * 10),
}


async def _taken(kind: type[ForeignSmsc], shot: Shot) -> bytes:
    """The frame that the shot wants, from an SMSC of its own."""
    async with kind(**shot.conduct) as smsc:
        reader, writer = await asyncio.open_connection("127.0.0.1", smsc.port)
        try:
            writer.write(_HEADER.pack(16 + len(shot.bind), _BIND, 0, 1) + shot.bind)
            await smsc.told("bind")
            if shot.sent:
                command, body = shot.sent
                writer.write(_HEADER.pack(16 + len(body), command, 0, 2) + body)
            if shot.order:
                do, text = shot.order
                await smsc.tell(do, **{"from": "33123456789", "to": "36200", "text": text})
            async with asyncio.timeout(_PATIENCE):
                while True:
                    head = await reader.readexactly(_HEADER.size)
                    length, command, _, _ = _HEADER.unpack(head)
                    body = await reader.readexactly(length - _HEADER.size)
                    if command == shot.wanted:
                        return head + body
        finally:
            writer.close()


async def capture(folder: Path) -> None:
    """Write every file anew, in a folder that is there."""
    package = (net_smpp() / "PACKAGES").read_text().split()[1]
    peers: list[tuple[str, str, type[ForeignSmsc], dict[str, Shot]]] = [
        ("node", f"node-smpp {PACKAGE[1]}", NodeSmsc, _NODE),
        ("perl", f"Net::SMPP {package}", PerlSmsc, _PERL),
    ]
    for peer, version, kind, shots in peers:
        for what, shot in shots.items():
            frame = await _taken(kind, shot)
            lines = [frame[at : at + 16].hex(" ") for at in range(0, len(frame), 16)]
            text = "\n".join([f"# Written by {version}: {shot.about}.", *lines, ""])
            (folder / f"foreign_{peer}_{what}.hex").write_text(text)


if __name__ == "__main__":
    asyncio.run(capture(Path(sys.argv[1])))
