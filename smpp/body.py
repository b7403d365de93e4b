"""The body of one frame, read field by field (§3.1), without I/O."""

from __future__ import annotations

import struct

from smpp import tlv
from smpp.address import Address
from smpp.constants import HEADER, Status
from smpp.errors import LocalProtocolError, MalformedPdu
from smpp.tlv import Tlvs

_HEADER = struct.Struct(">IIII")


class Body:
    """Reads the fields of one frame in order; every shortage is a MalformedPdu."""

    def __init__(self, frame: bytes) -> None:
        self._frame = frame
        self._at = HEADER

    def empty(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._frame)

    def malformed(self, reason: str, status: int) -> MalformedPdu:
        """The error, with what the answer needs from the header."""
        _, command_id, _, sequence = _HEADER.unpack_from(self._frame)
        return MalformedPdu(reason, command_id=command_id, sequence=sequence, status=status)

    def octet(self) -> int:
        """The next one."""
        return self.octets(1)[0]

    def octets(self, count: int) -> bytes:
        """The next so many."""
        end = self._at + count
        if end > len(self._frame):
            raise self.malformed("the body is truncated", Status.ESME_RINVCMDLEN)
        value = self._frame[self._at : end]
        self._at = end
        return value

    def unpack(self, fields: struct.Struct) -> tuple[int, ...]:
        """The next fields of fixed size."""
        return fields.unpack(self.octets(fields.size))

    def string(self) -> str:
        """A C-octet string in the middle of a body: without its NUL nothing after it is safe."""
        at = self._at
        end = self._frame.find(b"\0", at)
        if end < 0:
            raise self.malformed("a string has no end", Status.ESME_RINVCMDLEN)
        self._at = end + 1
        return "" if end == at else self._frame[at:end].decode("latin-1")

    def last_string(self) -> str:
        """A C-octet string that may end the body: some SMSCs leave out the NUL, or all of it."""
        end = self._frame.find(b"\0", self._at)
        if end < 0:
            end = len(self._frame)
        value = self._frame[self._at : end].decode("latin-1")
        self._at = end + 1
        return value

    def address(self, status: int, longest: type[Address] = Address) -> Address:
        """§4.7.1 and §4.12.1 allow a LongAddress where the others do not."""
        at = self._at
        try:
            ton, npi = self._frame[at], self._frame[at + 1]
        except IndexError:
            raise self.malformed("the body is truncated", Status.ESME_RINVCMDLEN) from None
        self._at = at + 2
        digits = self.string()
        try:
            if len(digits) > Address.longest:
                return longest(ton, npi, digits)
            return Address(ton, npi, digits)
        except LocalProtocolError as error:
            raise self.malformed(str(error), status) from None

    def tlvs(self) -> Tlvs:
        """All optional parameters, known or not (§3.3: ignore what you do not know)."""
        if self.empty():
            return ()
        found, whole = tlv.parse(self._frame, self._at)
        if not whole:
            raise self.malformed("an optional parameter is truncated", Status.ESME_RINVOPTPARSTREAM)
        return found

    def ending(self, *, refused: bool) -> tuple[str, Tlvs]:
        """The string and TLVs that end a response; trailing octets that are none are ignored."""
        text = self.last_string()
        found, whole = tlv.parse(self._frame, self._at)
        if refused and not whole:
            # A refusal has no body (§4.4.2), and yet some SMSCs give it TLVs: then the beginning
            # of the first was taken for a string.
            bare, sound = tlv.parse(self._frame, HEADER)
            if sound:
                return "", bare
        return text, found
