"""One call's recording: follows the conversation, and starts, pauses, resumes and ends the tape."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from ari_app.calls.instruments import Instruments
from ari_app.conversation.events import (
    RecordingEnded,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
)
from ari_app.conversation.identity import E164, new_id
from ari_app.conversation.state import Conversation
from ari_app.policy.recording import Wish, wish
from ari_app.ports import Line, RecordingLabel, Tape, TapeEnd

RecordingEvent = RecordingStarted | RecordingPaused | RecordingResumed | RecordingEnded

# Seconds in which the last piece must be on the disk: a call does not wait for more.
_PATIENCE = 2.0


class CallRecording:
    """What is secret is recorded neither when it is asked nor when we repeat it.

    A pause begins with the question, before it is spoken, and ends when the caller has the word
    again and nothing secret is open. Events are told in their order, once each.
    """

    def __init__(
        self,
        call: str,
        stream: str,
        tools: Instruments,
        tell: Callable[[RecordingEvent], None],
    ) -> None:
        """`tell` is called in the event loop and never blocks."""
        self._call = call
        self._stream = stream
        self._tools = tools
        self._tell = tell
        self._line: Line | None = None
        self._tape: Tape | None = None
        self._rolling = False
        self._hushed = False  # something secret was open, and the caller has not the word yet
        self._over = False
        self._state = Conversation()
        self._told = asyncio.Event()

    def use(self, line: Line) -> None:
        """Record this line's audio; what another worker recorded of the call was cut."""
        for id, known in self._state.recordings.items():
            if known.call == self._call and known.step in ("on", "paused"):
                self._tell(self._end_of(id, TapeEnd("worker_lost", 0.0, 0)))
        self._line = line
        self._settle()

    def follow(self, state: Conversation) -> None:
        """The conversation has changed."""
        self._state = state
        self._hushed = self._hushed or self._sensitive
        self._settle()

    def listening(self) -> None:
        """The caller has the word: what was to be said before has been said."""
        self._hushed = self._sensitive
        self._settle()

    def stop(self, why: str) -> None:
        """Nothing more of this call is recorded."""
        if self._over:
            return
        self._over = True
        if self._line is not None:
            self._line.record(None)
        if self._tape is not None:
            self._tape.end(why)

    async def aclose(self) -> None:
        """After `stop`: wait a moment until the file is closed and its end told."""
        if self._tape is None or self._told.is_set():
            return
        try:
            await asyncio.wait_for(self._told.wait(), _PATIENCE)
        except TimeoutError:
            self._ended(TapeEnd("slow_disk", 0.0, 0))

    @property
    def _sensitive(self) -> bool:
        question = self._tools.agent.bundle.questions.get(self._state.question or "")
        return question is not None and question.sensitive

    @property
    def _wish(self) -> Wish:
        policy = self._tools.agent.bundle.recording
        return wish(policy, self._state, self._call, sensitive=self._sensitive)

    def _settle(self) -> None:
        if self._over or self._line is None:
            return
        now = self._wish
        if now is Wish.REFUSED:
            self.stop("refused")
        elif now is Wish.RECORD and not self._hushed:
            self._roll(self._line)
        elif self._tape is not None and self._rolling:
            self._line.record(None)
            self._rolling = False
            self._tell(RecordingPaused(call=self._call, recording=self._tape.id, why="sensitive"))

    def _roll(self, line: Line) -> None:
        if self._rolling:
            return
        self._rolling = True
        if self._tape is None:
            self._tape = self._start()
        else:
            self._tell(RecordingResumed(call=self._call, recording=self._tape.id))
        line.record(self._tape)

    def _start(self) -> Tape:
        now, bundle = self._tools.clock.now(), self._tools.agent.bundle
        number = E164.read(self._state.number or "", None)
        owner = number.subject(self._tools.subject_key) if number else self._stream
        recording = new_id("rec", now, os.urandom(10))
        consent = self._state.consent.get(bundle.recording.purpose)
        self._tell(
            RecordingStarted(
                call=self._call,
                recording=recording,
                why="consent" if consent else "policy",
                purpose=bundle.recording.purpose,
                wording=bundle.hash,
            )
        )
        label = RecordingLabel(recording, self._stream, self._call, owner, now)
        return self._tools.recordings.start(label, self._ended)

    def _ended(self, end: TapeEnd) -> None:
        if self._told.is_set() or self._tape is None:
            return
        self._told.set()
        self.stop(end.why)
        self._tell(self._end_of(self._tape.id, end))

    def _end_of(self, recording: str, end: TapeEnd) -> RecordingEnded:
        return RecordingEnded(
            call=self._call,
            recording=recording,
            why=end.why,
            seconds=round(end.seconds, 2),
            octets=end.octets,
        )
