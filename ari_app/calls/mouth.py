"""One call's voice: prompts are made, played in their order, and silenced when spoken over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ari_app.agent.turn import Spoken
from ari_app.calls.comfort import Waiting
from ari_app.calls.dialogue import Dialogue, Pause, Phase, Play, Resume, Signal, Step, Stop
from ari_app.calls.instruments import Instruments
from ari_app.conversation.events import DisclosurePlayed, Event, PromptInterrupted
from ari_app.ports import AS_USUAL, Line, Prompt


@dataclass(frozen=True, slots=True)
class Segment:
    """A prompt that is ready to be played."""

    spoken: Spoken
    prompt: Prompt
    language: str
    disclosure: bool = False


class Mouth:
    """Does what the dialogue says; what follows from it is told as a signal or an event."""

    def __init__(
        self,
        call: str,
        tools: Instruments,
        tell: Callable[[Signal | Event], None],
        on_listening: Callable[[], None] = lambda: None,
    ) -> None:
        """`tell` is called in the event loop, in order, and never blocks.

        `on_listening` is called whenever the caller has the word.
        """
        self._on_listening = on_listening
        self._call = call
        self._tools = tools
        self._tell = tell
        self.dialogue: Dialogue[Segment] = Dialogue(tools.no_input)
        self.line: Line | None = None  # where it is played, once there is one
        self.playing: Segment | None = None
        self.delivery = AS_USUAL
        self._waiting = Waiting(tools.comfort.after)
        self._language = ""  # of what was made last
        self._begun = False  # whether anything has been said
        self._paused_at = 0  # ms of the prompt

    async def segment(self, spoken: Spoken, language: str, *, disclosure: bool = False) -> Segment:
        """The prompt with its audio; VoiceUnavailable."""
        language = spoken.language or language
        prompt = await self._tools.voice.prompt(spoken.text, language, self.delivery)
        self._language = language
        return Segment(spoken, prompt, language, disclosure)

    def say(
        self, segments: Sequence[tuple[Segment, bool]], *, leave: bool, patience: float = 0.0
    ) -> None:
        """Speak these (segment, interruptible), then listen, or leave; see `Dialogue.say`."""
        now = self._tools.clock.monotonic()
        self.follow(self.dialogue.say(segments, now, leave=leave, patience=patience))

    def follow(self, steps: Sequence[Step[Segment]]) -> None:
        """Do these steps of the dialogue."""
        for step in steps:
            match step:
                case Play(segment=segment):
                    self.playing = segment
                    self._begun = True
                    if self.line is not None:
                        self.line.play(segment.prompt.audio)
                case Pause():
                    if self.line is not None:
                        self._paused_at = self.line.pause()
                case Resume(segment=segment):
                    self._tools.meter.count("segue_barge_in_false_total")
                    if self.line is not None:
                        self.line.resume(self._goes_on_at(segment.prompt))
                case Stop():
                    for cut in self.interrupt([step]):
                        self._tell(cut)
                case Signal.LISTEN:
                    self._on_listening()
                case Signal():
                    self._tell(step)

    def _goes_on_at(self, prompt: Prompt) -> int | None:
        """The word that was cut; where nobody knows the words, the line finds a place."""
        return prompt.word_before(self._paused_at) if prompt.boundaries else None

    def interrupt(self, stops: Sequence[Stop[Segment]]) -> list[PromptInterrupted]:
        """Silence, and what is to be written of it."""
        cuts = []
        for stop in stops:
            after = self.line.stop() if self.line else 0
            self.playing = None
            prompt = stop.segment.spoken.prompt
            cuts.append(PromptInterrupted(call=self._call, prompt=prompt, after_ms=after))
            self._tools.meter.count("segue_barge_in_total")
        return cuts

    def comfort(self, now: float) -> None:
        """Tell a caller who waits for an answer that we are there; at every tick.

        Never before our first words, which must be who is speaking.
        """
        waits = self._begun and self.dialogue.phase is Phase.THINKING
        sign = self._waiting.sign(waits, now)
        if sign is not None and self.line is not None:
            self.line.play(self._tools.comfort.audio(sign, self._language))
            self._tools.meter.count("segue_comfort_total", sign=sign.value)

    def ended(self, at: float) -> None:
        """The line has sent all of what it played."""
        segment, self.playing = self.playing, None
        if segment is not None and segment.disclosure:
            wording = self._tools.agent.speaking(segment.language).hash
            prompt = segment.spoken.prompt
            self._tell(DisclosurePlayed(call=self._call, prompt=prompt, wording=wording))
        self.follow(self.dialogue.segment_ended(at))
