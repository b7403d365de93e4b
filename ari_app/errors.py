"""
Every exception that crosses rooms. Below SegueError too: the trees of privacy/errors.py and
phone/errors.py, and AmiRefused of ami/.

SegueError
├── SettingsError        a setting is unknown, missing or wrong: fix it and start again
├── BundleError          the policy bundle is malformed: fix it and load it again
├── IllegalMove          a state table has no such move: a bug in the calling code
├── UnreadableEvent      a stored event lacks a field, or holds another type: the log is damaged,
│                        or an upcaster is missing; see .event, .version, .field
├── TooManyJoined        more subjects would be one person than anybody is: part some first
├── Conflict             the stream has moved on: refold and decide again
├── LeaseLost            somebody else does this now: stop doing it
├── Unavailable          a part outside this process is not there; the sentence says what to do
│   ├── PbxUnavailable       Asterisk does not answer, or refuses the name or password
│   ├── ModelUnavailable     the Vosk model is missing, damaged or of another rate
│   ├── VoiceUnavailable     no text-to-speech on this machine
│   ├── StoreUnavailable     the database is locked, read-only or damaged
│   └── CarrierUnavailable   the SMSC refuses the bind
├── AriRefused           Asterisk understood a request and refused it; see .status
├── AsrLost              the recogniser of this call is gone: go on by keys
├── SmsRefused           the carrier did not take the text; see .transient
└── SmsUnknown           nobody knows whether the carrier took the text
"""


class SegueError(Exception):
    """Base of all; its text is one sentence for a person."""


class SettingsError(SegueError):
    """A setting is unknown, missing or wrong."""


class BundleError(SegueError):
    """The policy bundle is malformed."""


class IllegalMove(SegueError):
    """A state table has no move from this state by this outcome."""

    def __init__(self, state: str, outcome: str) -> None:
        super().__init__(f"no move from {state!r} by {outcome!r}")
        self.state = state
        self.outcome = outcome


class UnreadableEvent(SegueError):
    """A stored event does not have the fields that its version promises."""

    def __init__(self, event: str, version: int, field: str, fault: str) -> None:
        super().__init__(f"{event} version {version} cannot be read: {field} {fault}")
        self.event = event
        self.version = version
        self.field = field


class TooManyJoined(SegueError):
    """More subjects would be one person than anybody is."""


class Conflict(SegueError):
    """Somebody else appended to the stream first."""

    def __init__(self, stream: str, expected: int, found: int) -> None:
        super().__init__(f"stream {stream} is at {found}, not at {expected}")
        self.stream = stream
        self.expected = expected
        self.found = found


class LeaseLost(SegueError):
    """Another worker has the lease, or the job, by now."""


class Unavailable(SegueError):
    """A part outside this process is not there."""


class PbxUnavailable(Unavailable):
    """Asterisk does not answer, or refuses the name or password."""


class ModelUnavailable(Unavailable):
    """The Vosk model is missing, damaged or of another rate."""


class VoiceUnavailable(Unavailable):
    """No text-to-speech on this machine."""


class StoreUnavailable(Unavailable):
    """The database is locked, read-only or damaged."""


class CarrierUnavailable(Unavailable):
    """The SMSC refuses the bind."""


class AriRefused(SegueError):
    """Asterisk understood a request and refused it."""

    def __init__(self, status: int, request: str, reason: str) -> None:
        super().__init__(f"Asterisk refused {request}: {status} {reason}")
        self.status = status


class AsrLost(SegueError):
    """The recogniser of this call is gone."""


class SmsRefused(SegueError):
    """The carrier did not take the text; `transient` says whether to try again later."""

    def __init__(self, reason: str, *, transient: bool) -> None:
        super().__init__(reason)
        self.transient = transient


class SmsUnknown(SegueError):
    """The session ended, or a deadline passed, between the write and the carrier's answer."""
