"""What a session writes: its octets until they are taken, and its answers to the SMSC. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from smpp import hot
from smpp.codec import encode
from smpp.constants import RESPONSE, Command, Status
from smpp.errors import MalformedPdu
from smpp.pdu import DataSmResp, DeliverSmResp, GenericNack, Pdu

# §4.12.1 and §4.1.7: these two are never answered.
_SILENT = (Command.ALERT_NOTIFICATION, Command.OUTBIND)


class Replies:
    """Octets to be written, in order."""

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._data_sms: set[int] = set()  # to be answered by data_sm_resp
        #: For octets that are ready.
        self.write = self._out.append

    def take(self) -> bytes:
        """What to write now; each octet is returned once."""
        octets = b"".join(self._out)
        self._out.clear()
        return octets

    def forget(self) -> None:
        """There is nobody to write to."""
        self._out.clear()

    def send(self, pdu: Pdu) -> None:
        """Write a PDU."""
        self._out.append(encode(pdu))

    def owe_data_sm_resp(self, sequence: int) -> None:
        """What `answer` says to that sequence is a data_sm_resp."""
        self._data_sms.add(sequence)

    def answer(self, sequences: Sequence[int], status: int) -> None:
        """Answer deliver_sm (§4.6.2) and data_sm (§4.7.2)."""
        if self._data_sms:
            for sequence in self._data_sms.intersection(sequences):
                self._data_sms.discard(sequence)
                self.send(DataSmResp(sequence=sequence, status=status))
                sequences = [other for other in sequences if other != sequence]
        self._out.append(hot.deliver_sm_resps(sequences, status))

    def refuse_malformed(self, error: MalformedPdu) -> None:
        """Answer what cannot be read; a response or what is never answered gets nothing."""
        if error.command_id == Command.DELIVER_SM:
            self.send(DeliverSmResp(sequence=error.sequence, status=error.status))
        elif error.command_id == Command.DATA_SM:
            self.send(DataSmResp(sequence=error.sequence, status=error.status))
        elif not error.command_id & RESPONSE and error.command_id not in _SILENT:
            self.send(GenericNack(sequence=error.sequence, status=error.status))

    def refuse_unknown(self, pdu: Pdu) -> None:
        """Answer a request that is not for us (§4.3.1)."""
        if pdu.command_id not in _SILENT:
            self.send(GenericNack(sequence=pdu.sequence, status=Status.ESME_RINVCMDID))
