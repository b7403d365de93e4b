"""
SegueError
└── NotPossible          the text is not in a state to be cancelled or sent again
"""

from __future__ import annotations

from ari_app.errors import SegueError


class NotPossible(SegueError):
    """What was asked for cannot be done with this text; the sentence says why."""
