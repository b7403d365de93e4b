"""
What can go wrong with a recording.

RecordingError
├── RecordingUnknown  there is no such recording here
├── RecordingErased   its key has been shredded: nobody can hear it any more
└── RecordingDamaged  it was changed after it was written, or is no recording of ours
"""

from ari_app.errors import SegueError


class RecordingError(SegueError):
    """Base of all."""


class RecordingUnknown(RecordingError):
    """There is no such recording here."""


class RecordingErased(RecordingError):
    """Its key has been shredded."""


class RecordingDamaged(RecordingError):
    """It is not what was written."""
