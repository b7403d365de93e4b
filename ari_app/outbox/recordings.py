"""The executor of `recording` effects: a recording whose consent was taken back is erased."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Protocol

from ari_app.conversation.events import RecordingErased
from ari_app.errors import SegueError, Unavailable
from ari_app.outbox.relay import Settlement
from ari_app.ports import Job

logger = logging.getLogger(__name__)

_AGAIN = 60.0  # seconds, where the disk does not let it go, or nobody knows who is under hold
_HELD = 24 * 3600.0  # seconds: a legal hold goes before the wish


class ErasesRecordings(Protocol):
    """Where recordings are kept; both block."""

    def erase(self, recording: str, held: Collection[str]) -> bool:
        """Remove it; SegueError if its owner is one of the held."""


class RecordingEraser:
    """Safe to repeat: what is not there any more is erased."""

    def __init__(self, recordings: ErasesRecordings, holds: Callable[[], Collection[str]]) -> None:
        """`holds` says who is under legal hold; it blocks."""
        self._recordings = recordings
        self._holds = holds

    async def perform(self, job: Job) -> Settlement:
        """Erase the one that the payload names; nothing is named once its owner is erased."""
        recording = str(job.payload.get("recording", ""))
        if not recording:
            return Settlement([])
        try:
            await asyncio.to_thread(self._erase, recording)
        except (OSError, Unavailable) as error:
            logger.error("recording %s cannot be erased: %s", recording, error)
            return Settlement([], retry_in=_AGAIN)
        except SegueError as error:
            logger.warning("recording %s is not erased yet: %s", recording, error)
            return Settlement([], retry_in=_HELD)
        return Settlement([RecordingErased(recording=recording, why="consent_withdrawn")])

    def _erase(self, recording: str) -> None:
        self._recordings.erase(recording, self._holds())
