"""
Every exception of the library.

SmppError
├── ProtocolError            somebody broke SMPP 3.4
│   ├── LocalProtocolError       we did: a bug, or a value that no PDU can carry
│   └── RemoteProtocolError      the peer did, and the stream is lost: close the session
│       └── MalformedPdu             one PDU is bad: answer it with .status, keep the session
├── CommandError             the SMSC understood and refused; see .status
│   ├── Throttled                ...because we are too fast: slow down, then send again
│   └── BindRefused              ...the bind; .permanent says that a person must look at it
├── NotSent                  nothing was written: send it again when there is a bind
├── SessionClosed            written, but the session ended before the answer came
│   └── AnswerTimeout            ...or the answer did not come in time: the fate is unknown
└── UnreadableReceipt        it says it is a receipt, but not of what
"""

from __future__ import annotations

from smpp.constants import Status, status_name


class SmppError(Exception):
    """Base of all; its text holds no number, text or password."""


class ProtocolError(SmppError):
    """Somebody broke SMPP 3.4."""


class LocalProtocolError(ProtocolError):
    """We asked for something that SMPP 3.4 does not allow."""


class RemoteProtocolError(ProtocolError):
    """The peer's bytes cannot be cut into PDUs any more."""


class MalformedPdu(RemoteProtocolError):
    """The frame is sound, its body is not; the fields say how to answer."""

    def __init__(self, reason: str, *, command_id: int, sequence: int, status: int) -> None:
        super().__init__(reason)
        self.command_id = command_id
        self.sequence = sequence
        self.status = status


class CommandError(SmppError):
    """The SMSC understood and refused."""

    def __init__(self, status: int) -> None:
        super().__init__(status_name(status))
        self.status = status


class Throttled(CommandError):
    """ESME_RTHROTTLED or ESME_RMSGQFUL: the same message may be sent again later."""


class BindRefused(CommandError):
    """The SMSC does not let us bind."""

    @property
    def permanent(self) -> bool:
        """Whether repeating it is hammering: name, password or system type are wrong."""
        return self.status in _PERMANENT

    @property
    def held(self) -> bool:
        """Whether our earlier bind probably still stands over there: it needs time to fall."""
        return self.status in (Status.ESME_RALYBND, Status.ESME_RBINDFAIL)


_PERMANENT = frozenset({Status.ESME_RINVPASWD, Status.ESME_RINVSYSID, Status.ESME_RINVSYSTYP})


class NotSent(SmppError):
    """Nothing was written."""


class SessionClosed(SmppError):
    """Written, but the session ended before the answer came."""


class AnswerTimeout(SessionClosed):
    """Written, but the answer did not come in time."""


class UnreadableReceipt(SmppError):
    """A receipt without a message id or a state."""


def command_error(status: int) -> CommandError:
    """The error that a status of submit_sm_resp means."""
    if status in (Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL):
        return Throttled(status)
    return CommandError(status)
