"""Session descriptions for one mu-law audio stream with keys."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ari_app.media.rtp import PCMU

TELEPHONE_EVENT = 101  # the dynamic number that most equipment chooses

MAX_BODY = 16_384

_AUDIO = re.compile(r"audio ([0-9]{1,5})(?:/[0-9]+)? RTP/AVP((?: [0-9]{1,3}){1,64})")
_RTPMAP = re.compile(r"rtpmap:([0-9]{1,3}) telephone-event/8000", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Audio:
    """Where one side takes audio."""

    host: str
    port: int  # 0: the stream is refused (RFC 3264 §6)
    telephone_event: int | None = TELEPHONE_EVENT  # RFC 4733's payload type
    direction: str = "sendrecv"  # as this side says it of itself (RFC 3264 §5.1)

    @property
    def receives(self) -> bool:
        """Whether it wants our audio; not while it holds the call (RFC 3264 §8.4)."""
        # 0.0.0.0 is the older way to say hold.
        wants = self.direction in ("sendrecv", "recvonly")
        return wants and self.port != 0 and self.host != "0.0.0.0"


# RFC 3264 §6.1: what the answer to an offer says.
ANSWER = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


def write(audio: Audio, session: int, version: int) -> bytes:
    """An offer or an answer (RFC 4566, RFC 3264); `version` grows with each of one session."""
    key = audio.telephone_event
    lines = [
        "v=0",
        f"o=segue {session} {version} IN IP4 {audio.host}",
        "s=segue",
        f"c=IN IP4 {audio.host}",
        "t=0 0",
        f"m=audio {audio.port} RTP/AVP {PCMU}" + (f" {key}" if key is not None else ""),
        f"a=rtpmap:{PCMU} PCMU/8000",
    ]
    if key is not None:
        lines += [f"a=rtpmap:{key} telephone-event/8000", f"a=fmtp:{key} 0-15"]
    lines += ["a=ptime:20", f"a={audio.direction}"]
    return "\r\n".join(lines).encode() + b"\r\n"


def parse(body: bytes) -> Audio:
    """The far side's audio; ValueError with one sentence if we could not talk to it."""
    if len(body) > MAX_BODY:
        raise ValueError("the session description is too long")
    try:
        lines = body.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise ValueError("the session description is not UTF-8") from None
    host, port, formats = "", -1, list[int]()
    key: int | None = None
    direction = "sendrecv"  # RFC 4566 §6: what holds if nothing is said
    media = 0
    for line in lines:
        kind, _, value = line.partition("=")
        if kind == "m":
            media += 1
            match = _AUDIO.fullmatch(value.strip())
            if media == 1 and match is not None:
                port, formats = int(match[1]), [int(f) for f in match[2].split()]
        elif media > 1:
            continue  # a second stream: we have offered one only
        elif kind == "c" and value.startswith("IN IP4 "):
            # RFC 4566 §5.7: the line of the stream comes after that of the session, and wins.
            host = value.removeprefix("IN IP4 ").split("/")[0].strip()
        elif kind == "a":
            if found := _RTPMAP.fullmatch(value.strip()):
                key = int(found[1])
            elif value.strip() in ANSWER:
                direction = value.strip()
    if not 0 <= port <= 65_535:
        raise ValueError("the session description has no RTP audio as its first stream")
    if PCMU not in formats:
        raise ValueError("the session description has no PCMU")
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise ValueError("the session description has no IPv4 address") from None
    return Audio(host, port, key if key in formats else None, direction)
