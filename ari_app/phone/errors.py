"""
Why a simulated call did not go on.

SegueError
└── PhoneError
    ├── CallRefused     the far side answered with a SIP status of 300 or more; see .status
    ├── NoAnswer        nobody answered before the deadline
    ├── CallEnded       the call is over, so there is nothing to say or hear
    └── NothingHeard    the line is up, but what was waited for did not come in time
"""

from ari_app.errors import SegueError


class PhoneError(SegueError):
    """Base of all that a phone raises."""


class CallRefused(PhoneError):
    """The far side answered with a final status of 300 or more."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the call was refused: {status} {reason}")
        self.status = status
        self.reason = reason


class NoAnswer(PhoneError):
    """Nobody answered before the deadline."""


class CallEnded(PhoneError):
    """The call is over."""


class NothingHeard(PhoneError):
    """What was waited for did not come in time."""
