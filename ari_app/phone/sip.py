"""SIP messages: bytes to values and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A UDP datagram cannot be longer; the other two bounds are far above what any phone sends.
MAX_MESSAGE = 65_535
MAX_HEADERS = 200
MAX_HEADER = 8_192

_VERSION = "SIP/2.0"
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")  # RFC 3261 §25.1
_URI = re.compile(r"[!-~]+")  # printable ASCII without a space
_STATUS = re.compile(r"[1-6][0-9]{2}")
_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+(\S+)")
_USER = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/#-]{1,128}")  # §25.1; "#" is a key people dial

# RFC 3261 §7.3.3 and §20: one letter for a name, for messages near the MTU.
_COMPACT = {
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "v": "via",
}
_MUST_HAVE = ("via", "from", "to", "call-id", "cseq")  # §8.1.1 and §8.2.6.2


@dataclass(frozen=True, slots=True)
class _Message:
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a header, in order; compact names count as the long ones."""
        wanted = _long(name)
        return tuple(value for key, value in self.headers if _long(key) == wanted)

    def one(self, name: str) -> str:
        """The first value of a header, "" if there is none."""
        found = self.every(name)
        return found[0] if found else ""

    @property
    def cseq(self) -> tuple[int, str]:
        """The sequence number and its method (RFC 3261 §20.16)."""
        match = _CSEQ.fullmatch(self.one("cseq"))
        if match is None or int(match[1]) >= 2**31:
            raise ValueError("the CSeq header is not a number and a method")
        return int(match[1]), match[2]

    def _serialize(self, first: str) -> bytes:
        lines = [first]
        for name, value in self.headers:
            if not _TOKEN.fullmatch(name) or _breaks_a_line(value):
                raise ValueError(f"the header {name!r} cannot be written")
            if _long(name) != "content-length":
                lines.append(f"{name}: {value}")
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Request(_Message):
    """A request (RFC 3261 §7.1)."""

    method: str = ""
    uri: str = ""

    def serialize(self) -> bytes:
        """The datagram; Content-Length is written from the body."""
        if not _TOKEN.fullmatch(self.method) or not _URI.fullmatch(self.uri):
            raise ValueError("a request needs a method and an address without spaces")
        return self._serialize(f"{self.method} {self.uri} {_VERSION}")


@dataclass(frozen=True, slots=True)
class Response(_Message):
    """An answer to a request (RFC 3261 §7.2)."""

    status: int = 0
    reason: str = ""

    def serialize(self) -> bytes:
        """The datagram; Content-Length is written from the body."""
        if not 100 <= self.status <= 699 or _breaks_a_line(self.reason):
            raise ValueError("an answer needs a status from 100 to 699 and one line of reason")
        return self._serialize(f"{_VERSION} {self.status} {self.reason}")


def parse(datagram: bytes) -> Request | Response:
    """The message in a datagram; ValueError with one sentence if it is none."""
    if len(datagram) > MAX_MESSAGE:
        raise ValueError("the message is longer than a datagram can be")
    head, end, rest = datagram.partition(b"\r\n\r\n")
    if not end:
        raise ValueError("the message has no empty line after its headers")
    try:
        lines = head.decode("utf-8").split("\r\n")
    except UnicodeDecodeError:
        raise ValueError("the headers are not UTF-8") from None
    headers = tuple(_headers(lines[1:]))
    body = _body(headers, rest)
    message = _start(lines[0], headers, body)
    for name in _MUST_HAVE:
        if not message.one(name):
            raise ValueError(f"the {name} header is missing")
    if isinstance(message, Request) and message.cseq[1] != message.method:
        raise ValueError("the CSeq header names another method than the first line")
    _ = message.cseq  # refused here, so that nobody behind has to
    return message


def _start(line: str, headers: tuple[tuple[str, str], ...], body: bytes) -> Request | Response:
    parts = line.split(" ", 2)
    if len(parts) != 3 or len(line) > MAX_HEADER or _breaks_a_line(line):
        raise ValueError("the first line does not have three parts")
    if parts[0] == _VERSION:
        if not _STATUS.fullmatch(parts[1]):
            raise ValueError("the status is not a number from 100 to 699")
        return Response(headers, body, status=int(parts[1]), reason=parts[2])
    method, uri, version = parts
    if version != _VERSION or not _TOKEN.fullmatch(method) or not _URI.fullmatch(uri):
        raise ValueError("the first line is not that of SIP 2.0")
    return Request(headers, body, method=method, uri=uri)


def _headers(lines: list[str]) -> Iterator[tuple[str, str]]:
    unfolded: list[str] = []
    for line in lines:
        # RFC 3261 §7.3.1: a line that begins with white space goes on with the one before.
        if line[:1] in (" ", "\t") and unfolded:
            unfolded[-1] += " " + line.strip(" \t")
        else:
            unfolded.append(line)
        if len(unfolded) > MAX_HEADERS or len(unfolded[-1]) > MAX_HEADER:
            raise ValueError("the message has too many or too long headers")
    for line in unfolded:
        name, colon, value = line.partition(":")
        name, value = name.rstrip(" \t"), value.strip(" \t")
        if not colon or not _TOKEN.fullmatch(name) or _breaks_a_line(value):
            raise ValueError("a header is not a name, a colon and a value")
        yield name, value


def _body(headers: tuple[tuple[str, str], ...], rest: bytes) -> bytes:
    lengths = [value for name, value in headers if _long(name) == "content-length"]
    if not lengths:
        return rest  # RFC 3261 §18.3: then it is the rest of the datagram
    if not re.fullmatch("[0-9]{1,6}", lengths[0]) or int(lengths[0]) > len(rest):
        raise ValueError("the body is shorter than the Content-Length says")
    return rest[: int(lengths[0])]


def _long(name: str) -> str:
    lower = name.lower()
    return _COMPACT.get(lower, lower)


def _breaks_a_line(value: str) -> bool:
    """Whether writing the value would begin another header, or smuggle a control character."""
    return any(c != "\t" and (c < " " or c == "\x7f") for c in value)


# -- addresses --------------------------------------------------------------------------------


def address(user: str, host: str, port: int | None = None) -> str:
    """`sip:user@host:port`; ValueError if the user part cannot stand in an address (§25.1)."""
    if not _USER.fullmatch(user):
        raise ValueError("a number to dial may hold letters, digits and a few signs only")
    # §25.1: "#" is not allowed unescaped.
    written = user.replace("#", "%23")
    return f"sip:{written}@{host}" + (f":{port}" if port is not None else "")


def uri_of(value: str) -> str:
    """The address in a From, To, Contact or Route value, "" if there is none (§20.10)."""
    begin, end = _brackets(value)
    if begin >= 0:
        return value[begin + 1 : end]
    return value.partition(";")[0].strip()


def tag_of(value: str) -> str:
    """The tag of a From or To value, "" if it has none (§19.3)."""
    begin, end = _brackets(value)
    for parameter in value[end + 1 if begin >= 0 else 0 :].split(";")[1:]:
        name, _, tag = parameter.partition("=")
        if name.strip().lower() == "tag":
            return tag.strip()
    return ""


def branch_of(via: str) -> str:
    """The branch that names the transaction in a Via value, "" if there is none (§20.42)."""
    for parameter in via.partition(",")[0].split(";")[1:]:
        name, _, branch = parameter.partition("=")
        if name.strip().lower() == "branch":
            return branch.strip()
    return ""


def _brackets(value: str) -> tuple[int, int]:
    """Where < and > are; a display name in quotes may hold either."""
    quoted = escaped = False
    begin = -1
    for i, c in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = c == "\\", c != '"'
        elif c == '"' and begin < 0:
            quoted = True
        elif c == "<" and begin < 0:
            begin = i
        elif c == ">" and begin >= 0:
            return begin, i
    return -1, -1


# -- one dialog -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dialog:
    """What every message of one call repeats (RFC 3261 §12)."""

    call_id: str
    local: str  # our From, with our tag
    remote: str  # our To; it has a tag from the answer on
    target: str  # where requests go: the far side's Contact
    contact: str  # ours
    routes: tuple[str, ...] = ()

    def confirmed(self, answer: Response) -> Dialog:
        """The dialog that a 2xx made (§12.1.2): their tag, their Contact, the route reversed."""
        return Dialog(
            self.call_id,
            self.local,
            answer.one("to"),
            uri_of(answer.one("contact")) or self.target,
            self.contact,
            tuple(reversed(answer.every("record-route"))),
        )

    def retargeted(self, request: Request) -> Dialog:
        """The dialog after a request that may move the far side's Contact (§12.2.2)."""
        target = uri_of(request.one("contact")) or self.target
        return Dialog(self.call_id, self.local, self.remote, target, self.contact, self.routes)

    def owns(self, request: Request) -> bool:
        """Whether a request belongs here: the Call-ID and both tags are ours (§12.2.2)."""
        return (
            request.one("call-id") == self.call_id
            and tag_of(request.one("to")) == tag_of(self.local)
            and tag_of(request.one("from")) == tag_of(self.remote)
        )

    def request(
        self,
        method: str,
        cseq: int,
        via: str,
        *,
        body: bytes = b"",
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Request:
        """A request in this dialog (§12.2.1.1)."""
        typed = (("Content-Type", "application/sdp"),) if body else ()
        return Request(
            (
                ("Via", via),
                ("Max-Forwards", "70"),
                *(("Route", route) for route in self.routes),
                ("From", self.local),
                ("To", self.remote),
                ("Call-ID", self.call_id),
                ("CSeq", f"{cseq} {method}"),
                ("Contact", f"<{self.contact}>"),
                *extra,
                *typed,
            ),
            body,
            method=method,
            uri=self.target,
        )


def follow_up(invite: Request, method: str, to: str) -> Request:
    """CANCEL, or the ACK of a refusal: the INVITE's own branch and number (§9.1, §17.1.1.3)."""
    kept = [
        (name, value)
        for name, value in invite.headers
        if _long(name) in ("max-forwards", "route", "from", "call-id")
    ]
    return Request(
        (
            ("Via", invite.one("via")),
            *kept,
            ("To", to),
            ("CSeq", f"{invite.cseq[0]} {method}"),
        ),
        method=method,
        uri=invite.uri,
    )


def answer(
    request: Request,
    status: int,
    reason: str,
    *,
    tag: str,
    extra: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> Response:
    """The answer to a request: its headers come back as they are, To with our tag (§8.2.6.2)."""
    to = request.one("to")
    typed = (("Content-Type", "application/sdp"),) if body else ()
    return Response(
        (
            *(("Via", via) for via in request.every("via")),
            *(("Record-Route", route) for route in request.every("record-route")),
            ("From", request.one("from")),
            ("To", to if tag_of(to) else f"{to};tag={tag}"),
            ("Call-ID", request.one("call-id")),
            ("CSeq", request.one("cseq")),
            *extra,
            *typed,
        ),
        body,
        status=status,
        reason=reason,
    )
