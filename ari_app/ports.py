"""What services need from outside, by name; only bootstrap knows who provides it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from ari_app.conversation.events import Envelope, Event
from ari_app.conversation.identity import E164
from ari_app.conversation.message import MessageClass, Priority
from ari_app.conversation.state import Conversation
from smpp.ids import IdRule

# -- time, measuring, failing -----------------------------------------------------------------


class Clock(Protocol):
    """Both kinds of time; a test moves a fake one."""

    def now(self) -> int:
        """UTC in microseconds, for facts."""

    def monotonic(self) -> float:
        """Seconds that never go back, for media and deadlines."""


class Meter(Protocol):
    """Where figures go; names as in Prometheus, labels few and bounded, never a number or an id."""

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        """Add to a counter."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """One value of a distribution, in the base unit of the name."""

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """The present value of something."""


# Looked up once: each look costs microseconds, and there are failpoints in every append.
_FAILPOINT = os.environ.get("SEGUE_FAILPOINT")


def failpoint(name: str) -> None:
    """A named place to die at, for crash tests: started with SEGUE_FAILPOINT=name, it dies here."""
    if name == _FAILPOINT:
        os.kill(os.getpid(), signal.SIGKILL)


# -- the telephone (ari) ----------------------------------------------------------------------


class Exit(Enum):
    """Why a call leaves to the dialplan; the value is SEGUE_EXIT there."""

    HANDOFF = "handoff"
    OVERLOAD = "overload"
    ASR_DOWN = "asr_down"
    ERROR = "error"
    DONE = "done"
    VOICEMAIL = "voicemail"


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A channel has entered Stasis(segue,inbound,<did>); not answered yet."""

    channel: str  # Asterisk's channel id
    did: str  # the number that was dialled
    caller: str  # as the trunk said it; "" if withheld
    trunk: str = ""  # the endpoint it came by, such as PJSIP/carrier


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A channel that is in our application and that nobody here serves, by what is on it."""

    channel: str
    conversation: str = ""  # the stream, if it was marked
    call: str = ""
    exit: str = ""  # SEGUE_EXIT, if it was on its way out
    incoming: IncomingCall | None = None  # as it entered, if it can be told
    person: str = ""  # the channel of the person it is joined with


class CallEvents(Protocol):
    """What the telephone tells; none of these may block or raise."""

    def call_entered(self, call: IncomingCall) -> None:
        """A new caller waits to be answered."""

    def key_pressed(self, channel: str, key: str) -> None:
        """One DTMF key: 0-9, *, #, A-D."""

    def caller_gone(self, channel: str, cause: str) -> None:
        """The channel is not ours any more.

        cause: `hangup`, `left` (it went on in the dialplan) or `lost` (while the link was down).
        """

    def pbx_lost(self) -> None:
        """The event stream is down: calls go on in Asterisk, but nothing is heard of them."""

    def pbx_back(self, channels: frozenset[str], found: Sequence[FoundCall]) -> None:
        """The event stream is up (also the first time); these channels are in our application.

        Some may never have entered, such as the other half of a Local channel. `found` are those
        that `serves` denied and that still are there.
        """

    def serves(self, channel: str) -> bool:
        """Whether a call that is live here has this channel."""

    def leg_answered(self, channel: str) -> None:
        """A phone was picked up that `Telephone.ring` let ring, or that of a process that is gone.

        It hears nothing yet. One that is called `cb-…` is a caller's from now on.
        """

    def leg_gone(self, channel: str, cause: int, status: int) -> None:
        """A phone that `ring` let ring is gone: told once, also if nobody picked it up; of one
        that is called `cb-…` only then.

        `cause` is Q.850's and `status` the SIP answer, 0 where it is not known.
        """

    def media_gone(self, call: str) -> None:
        """The media leg of a call has ended, and not by our will: caller and we are deaf."""


class Telephone(Protocol):
    """Call control. Every request has a deadline; AriRefused or PbxUnavailable otherwise."""

    async def answer(self, channel: str) -> None:
        """Answer the caller."""

    async def trunk_audio(self, channel: str) -> Mapping[str, object]:
        """What the PBX says of the caller's RTP on the trunk; nothing if it does not say."""

    async def mark(self, channel: str, conversation: str, call: str) -> None:
        """Write on the channel whose it is, so that another process can go on with it."""

    async def connect_media(
        self,
        channel: str,
        call: str,
        host: str,
        port: int,
        media_format: str,
        connect: Callable[[tuple[str, int]], None] | None = None,
    ) -> tuple[str, int]:
        """Bridge the channel with an external media leg to host:port, as a `Line` has them.

        media_format is `ulaw` or `slin16`. Returns what `Line.connect` wants to know; `connect`
        is told it as soon as it is known, which a leg over a websocket waits for.
        The bridge is `br-<call>` and the leg `em-<call>`: a repetition makes a new leg.
        """

    async def leave(self, channel: str, exit: Exit, variables: dict[str, str]) -> None:
        """Give the channel back to the dialplan, SEGUE_EXIT and the variables set."""

    async def topic(self, channel: str) -> str:
        """What the dialplan says that the call is about (SEGUE_TOPIC); "" if it does not."""

    async def ring(self, channel: str, endpoint: str, caller: str, seconds: int) -> None:
        """Let a phone ring, as the channel of this id that nobody has yet; `leg_…` tells the rest.

        The id begins with `ag-` for a person who takes callers, with `cb-` for somebody who is
        called back. `caller` is shown on the phone, "" for nothing. The PBX itself
        gives up somewhat later than after so many seconds.
        """

    async def join(self, call: str, caller: str, person: str) -> None:
        """Let the two hear each other, and nobody else, whatever becomes of us.

        They leave the bridges that they are in; how long the call may last is not limited now.
        """

    async def part(self, call: str) -> None:
        """Delete the bridge of `join`; what is gone already is fine."""

    async def hang_up(self, channel: str) -> None:
        """End the channel; one that is gone already is fine."""

    async def release(self, call: str) -> None:
        """Delete the call's bridge and leg; what is gone already is fine."""


# -- audio (media) ----------------------------------------------------------------------------


class Tape(Protocol):
    """A recording that is being written; nothing of it blocks."""

    @property
    def id(self) -> str:
        """The recording's: rec_…"""

    @property
    def began(self) -> float:
        """When it was started (monotonic)."""

    def write(self, at: int, audio: bytes) -> None:
        """Stereo mu-law at 8 kHz, caller and we in turn; `at` is its first sample since `began`.

        What lies between two writes is silence. After the end, or once the disk was too slow or
        too full, it is dropped.
        """

    def end(self, why: str) -> None:
        """Close it once all is written; twice is fine."""


@dataclass(frozen=True, slots=True)
class RecordingLabel:
    """What a recording is of."""

    recording: str  # rec_…
    conversation: str
    call: str
    owner: str  # the subject, or the conversation of somebody anonymous
    began: int  # UTC microseconds


@dataclass(frozen=True, slots=True)
class TapeEnd:
    """A tape is closed; with another `why` than it was ended with, something went wrong."""

    why: str
    seconds: float  # of audio, without gaps
    octets: int


class Recordings(Protocol):
    """Where recordings are kept, sealed."""

    def start(self, label: RecordingLabel, told: Callable[[TapeEnd], None]) -> Tape:
        """A new one, at once; `told` is called once, in the event loop, when it is closed."""


class AudioSink(Protocol):
    """What a line tells; called in the event loop, must not block."""

    def heard(self, pcm: bytes, at: float) -> None:
        """20 ms of the caller: 16-bit little-endian at the line's rate; `at` is monotonic."""

    def prompt_ended(self, at: float) -> None:
        """The last packet of the prompt has been sent."""


@runtime_checkable
class EchoWatch(Protocol):
    """A sink that also wants to know what the caller hears: an echo of it may come back."""

    def sent(self, pcm: bytes, at: float) -> None:
        """20 ms that we play, 16-bit little-endian at 8 kHz; b"" while we are silent.

        Told every 20 ms, in the event loop, before what comes back; must not block.
        """


@runtime_checkable
class AudioWatch(Protocol):
    """A sink that also wants to know of a line on which nothing comes."""

    def no_audio(self, at: float) -> None:
        """Nothing came in the first 2 s, or the line is cut; told once, in the event loop.

        Also what we say may go nowhere. If audio comes after all, `heard` tells.
        """


class Line(Protocol):
    """One call's audio, both ways: over RTP, or over a websocket that Asterisk serves."""

    @property
    def host(self) -> str:
        """Where we listen; `INCOMING` (with port 0) if we are the one who connects."""

    @property
    def port(self) -> int:
        """Where we listen."""

    def connect(self, peer: tuple[str, int]) -> None:
        """Believe only Asterisk's address, and start sending there.

        Where `host` is `INCOMING`, the peer is the channel's MEDIA_WEBSOCKET_CONNECTION_ID and
        any number, and the leg enters Stasis only after this.
        """

    def play(self, ulaw: bytes) -> None:
        """Start a prompt (8 kHz mu-law) at the next 20 ms; a running one is replaced."""

    def pause(self) -> int:
        """As `stop`, but the prompt stays where it is: `resume`, `play` or `stop` follows."""

    def resume(self, at_ms: int | None = None) -> None:
        """Go on with a paused prompt from this time of it, none later than where it was paused.

        None: from the last pause between its words, at most 400 ms back. Without a paused prompt
        nothing happens.
        """

    def stop(self) -> int:
        """Silence at once, faded over 5 ms; returns the milliseconds of the prompt that were sent.

        0 if none runs or is paused.
        """

    def record(self, tape: Tape | None) -> None:
        """Copy both directions to this tape from now on; None: write what is left, and stop."""

    def statistics(self) -> dict[str, int]:
        """What the call's record keeps of its audio: counts of packets, unless the name says else.

        Always: received, lost, late, reordered, duplicate, refused, sent, unsent, concealed_ms,
        jitter_us (RFC 3550, A.8) and mos_x100 (the caller as we hear them: 100 to 450, from
        ITU-T G.107; 0 if nothing was heard). What did not happen is left out: refused_<reason>,
        sources (changes of the SSRC), relearned (of the address), rtcp, silent_ms, shielded.
        """

    async def aclose(self) -> None:
        """Free the socket."""


class Lines(Protocol):
    """Opens lines on free ports of the configured range."""

    async def open(self, sink: AudioSink, media_format: str) -> Line:
        """A new line; media_format is `ulaw` or `slin16`. Unavailable if no port is free."""


# -- speech -----------------------------------------------------------------------------------


# Of wrong words three in four are below 0.9, of right ones one in forty.
_BELIEVED = 0.7


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word; times in seconds from the start of the call's audio."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Signal:
    """The caller's audio of one turn, as far as it can be measured while it comes."""

    level_db: float  # of the speech, dBFS
    snr_db: float  # of the speech over the quiet of the line
    clipped: float = 0.0  # share of samples at full scale
    lost: float = 0.0  # share of the audio that never came


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the recogniser made of one turn of the caller."""

    text: str  # lower case, no punctuation; "" if nothing was said
    words: tuple[Word, ...]
    #: What was heard at the same time by one who listens for what is expected; `[unk]` is a word.
    guided: tuple[Word, ...] | None = None
    stable: bool = True  # the last words while it was spoken are those of the result
    signal: Signal | None = None

    @property
    def measured(self) -> bool:
        """Whether there is more to judge by than the words."""
        return self.signal is not None

    @property
    def confidence(self) -> float:
        """Mean word confidence weighted by duration, 0..1; 0 if nothing was said."""
        spans = [(w.confidence, max(w.end - w.start, 0.01)) for w in self.words]
        total = sum(s for _, s in spans)
        return sum(c * s for c, s in spans) / total if total else 0.0

    @property
    def believed(self) -> str:
        """The text without the words that the recogniser doubts."""
        return " ".join(w.text for w in self.words if w.confidence >= _BELIEVED)

    def followed_by(self, other: Utterance) -> Utterance:
        """Both, as one turn in two pieces."""
        text = " ".join(part for part in (self.text, other.text) if part)
        pieces = [piece for piece in (self, other) if piece.text]
        guided = [piece.guided for piece in pieces]
        return Utterance(
            text,
            (*self.words, *other.words),
            # A piece that nobody listened to for what is expected leaves the whole in doubt.
            guided=tuple(w for words in guided if words for w in words) if all(guided) else None,
            stable=all(piece.stable for piece in pieces),
            signal=_louder(self.signal, other.signal),
        )


def _louder(one: Signal | None, other: Signal | None) -> Signal | None:
    """Of two pieces of a turn, the one with more speech in it tells more of the line."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda signal: signal.snr_db)


class Recogniser(Protocol):
    """One call's ear."""

    def feed(self, pcm: bytes) -> None:
        """Audio at the model's rate; never blocks."""

    async def finish(self) -> Utterance:
        """What was said since the last finish; AsrLost if the worker died or is too slow."""

    async def aclose(self) -> None:
        """Free the recogniser."""


class Recognisers(Protocol):
    """The ASR workers."""

    @property
    def rate(self) -> int:
        """The model's sample rate: 8000 or 16000."""

    async def open(
        self, on_partial: Callable[[str], None], on_lost: Callable[[], None]
    ) -> Recogniser:
        """A recogniser on the least loaded worker; AsrLost if none is alive.

        on_partial gets the words of the turn so far, on_lost is called at most once: then the
        recogniser is of no use any more, close it. Both are called in the event loop, neither
        after aclose. A call may open one again: see `Returning`.
        """


@runtime_checkable
class Returning(Protocol):
    """Recognisers that come back after a loss.

    A call that has lost its hearing goes on by keys, and meanwhile: `returned`, then `open`; if
    that raises AsrLost, `returned` again, until there is a new recogniser. It knows nothing of
    what was said before, nor what is expected (`Expecting`). That never spins: whatever made
    `open` fail has made `returned` wait, or soon will.
    """

    async def returned(self) -> None:
        """Return as soon as `open` may succeed; at once if it may now. Safe to cancel."""


@runtime_checkable
class Polyglot(Protocol):
    """Recognisers of several languages."""

    def in_language(self, language: str) -> Recognisers | None:
        """Those of another language (its primary subtag); None if there is no model of it."""


@runtime_checkable
class Expecting(Protocol):
    """A recogniser that can be told what the answer may be."""

    def expect(self, phrases: Sequence[str]) -> bool:
        """Hear only these phrases from the next audio on, until told otherwise; () for all words.

        What is none of them is heard as words of theirs and `[unk]`: believe an answer only if
        its text is one of the phrases. False, and nothing has changed, if the model takes no
        phrases or lacks a word of them. ValueError if they are none (more than 500, or empty
        ones). Never blocks; also in the middle of a turn, whose words so far are kept.
        """


@dataclass(frozen=True, slots=True)
class Delivery:
    """How something is said: in three steps of pace and three of loudness."""

    pace: int = 0  # -1 slower, 1 faster
    gain: int = 0  # -1 quieter, 1 louder

    def __post_init__(self) -> None:
        if self.pace not in (-1, 0, 1) or self.gain not in (-1, 0, 1):
            raise ValueError(f"there is no step {self.pace} of pace or {self.gain} of loudness")

    def step(self, pace: int = 0, gain: int = 0) -> Delivery:
        """So many steps further; the last step stays the last."""
        return Delivery(*(max(-1, min(1, n)) for n in (self.pace + pace, self.gain + gain)))


AS_USUAL = Delivery()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text as it is played."""

    audio: bytes  # 8 kHz mu-law, no silence at either end; b"" if there is nothing to say
    boundaries: tuple[int, ...] = ()  # where words begin after the first, in ms, ascending

    def word_before(self, ms: int) -> int:
        """Where the word begins that is said at this time, in ms: a good place to go on from."""
        return max((b for b in self.boundaries if b <= ms), default=0)


class Voice(Protocol):
    """Text to speech: recorded, cached, or synthesized."""

    async def speak(self, text: str, language: str, delivery: Delivery = AS_USUAL) -> bytes:
        """8 kHz mu-law, no silence at either end; VoiceUnavailable if it cannot."""

    async def prompt(self, text: str, language: str, delivery: Delivery = AS_USUAL) -> Prompt:
        """The same, and where its words begin."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the open question wants to hear, as far as it tells when an answer is whole."""

    profile: str = "open"  # or yes_no, digits, date: how long a pause may be
    count: int = 0  # digits of the answer; 0 if nobody knows
    phrases: frozenset[str] = frozenset()  # each, as `words.normalise` writes it, is an answer
    language: str = "en"


class TurnSign(Enum):
    """What a frame of audio told about the caller's turn."""

    STARTED = "started"  # the caller has begun to speak
    PAUSED = "paused"  # and is quiet: tell `piece` what was said
    RESUMED = "resumed"  # and goes on after a pause
    ENDED = "ended"  # the caller has finished: decide now


class TurnDetector(Protocol):
    """Our own endpointing, one for each call; pure."""

    @property
    def speech_ended_at(self) -> float:
        """When the caller's speech of the turn that just ended was over (monotonic)."""

    def expect(self, expectation: Expectation) -> None:
        """A new question."""

    def heard(self, pcm: bytes, at: float) -> TurnSign | None:
        """20 ms of audio at the line's rate.

        Between STARTED and ENDED there is a PAUSED for each pause, and a RESUMED if the caller
        goes on. Whoever then finishes the
        recogniser tells `piece`, and the turn ends as soon as its words allow; who does not waits
        for longer silences.
        """

    def played(self, pcm: bytes) -> None:
        """What we play in these 20 ms (16-bit, at any rate); b"" while we are silent."""

    def near(self, now: float) -> bool:
        """Whether a voice was heard so lately, and for so long, that words may be of it."""

    def partial(self, text: str, at: float) -> None:
        """What the recogniser has understood since it was last finished."""

    def piece(self, said: Utterance, at: float) -> None:
        """The recogniser was finished in a pause: the words since it was finished before.

        Only those that are `believed` count: a noise that was taken for a word ends no answer.
        """

    def poll(self, now: float) -> TurnSign | None:
        """Time passes without audio: a phone may stop sending when its caller is silent."""


# -- texts (sms) ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """A text to send."""

    message: str  # our id, msg_…
    to: E164
    body: str
    valid_until: int | None = None  # UTC microseconds, for validity_period (SMPP 3.4 §5.2.16)
    again: bool = False  # whether it may have been taken before


@dataclass(frozen=True, slots=True)
class Accepted:
    """The SMSC took the text: one id per segment, verbatim, in order."""

    carrier: str
    ids: tuple[str, ...]


class SmsGateway(Protocol):
    """The way out."""

    @property
    def up(self) -> bool:
        """Whether a bind is up that can send."""

    async def send(self, text: OutgoingText) -> Accepted:
        """Write it and wait for the answer; SmsRefused or SmsUnknown otherwise."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The carrier did not take the text; `transient` says whether to try again later."""

    reason: str
    transient: bool
    opted_out: bool = False  # the carrier says that this person wants no texts of ours


@dataclass(frozen=True, slots=True)
class Throttled:
    """Later, and no failed attempt: too fast (ESME_RTHROTTLED, ESME_RMSGQFUL), or nobody is up."""

    pause: float = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody knows whether the carrier took it, or took all of it."""

    reason: str
    carrier: str = ""
    ids: tuple[str, ...] = ()  # of the segments that were certainly taken
    segments: int = 0  # in all; 0 if unknown


@dataclass(frozen=True, slots=True)
class Late:
    """The carrier answers after all, when the text was told to be lost."""

    carrier: str
    ids: tuple[str, ...]  # of the segments that are certainly taken by now, verbatim, in order
    segments: int  # in all
    refused: str = ""  # why the carrier never took the text as a whole, if that is known now


class Outcome(NamedTuple):
    """What became of one text."""

    message: str
    fate: Accepted | Refused | Throttled | Lost | Late


Outcomes: TypeAlias = Callable[[Sequence[Outcome]], None]


@runtime_checkable
class BatchGateway(Protocol):
    """The way out for many texts at once: no task and no future for each."""

    @property
    def room(self) -> int:
        """How many texts it can take now; 0 while no bind is up that can send."""

    def send_many(self, texts: Sequence[OutgoingText], told: Outcomes) -> None:
        """Take them all, in this order. Each has one outcome, told once, as soon as it is known.

        One that was `Lost` may be told again, as often as an answer comes late: `Late`.
        `told` is called in the event loop, also before this returns, and best once for all the
        answers of one read; it neither blocks nor raises. Closing the gateway tells the rest.
        """


@runtime_checkable
class SeveralCarriers(Protocol):
    """A gateway over carriers that the kill switch knows by their names."""

    @property
    def names(self) -> Sequence[str]:
        """All of them."""

    def pause(self, carriers: frozenset[str]) -> None:
        """These are given nothing from now on, until it is called without them."""


@runtime_checkable
class Inquiries(Protocol):
    """A gateway that can ask the carrier what became of a text (SMPP 3.4 §4.8, query_sm)."""

    async def inquire(self, carrier: str, id: str) -> Receipt | None:
        """What it says of this id, as a receipt would; None if it does not say, or not now."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery receipt for one segment."""

    carrier: str
    id: str  # the SMSC's message id, verbatim
    state: str  # SMPP 3.4 appendix B text: DELIVRD, UNDELIV, EXPIRED, REJECTD, ENROUTE, …
    error: str  # "000" or "" if none
    asked: bool = False  # said by query_sm: the id is that of submit_sm_resp, whatever receipts do


@dataclass(frozen=True, slots=True)
class IncomingText:
    """A text from a handset, joined if it came in parts."""

    carrier: str
    sender: str
    recipient: str
    body: str
    dedupe: str  # the same for a repeated deliver_sm


class SmsInbox(Protocol):
    """The way in. The edge answers the SMSC only after these have returned."""

    async def receipt(self, receipt: Receipt) -> None:
        """Store it; raises StoreUnavailable if that is not possible now."""

    async def text(self, text: IncomingText) -> None:
        """Store it; raises StoreUnavailable if that is not possible now."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came by deliver_sm and is no fact yet, kept so that the SMSC can be answered."""

    id: str  # the same for a repeated deliver_sm; names no number
    carrier: str
    # `part` of a text whose others are waited for, `joined` part of one that is stored,
    # `begun`: a whole text is about to be stored, `unreadable`: a receipt.
    kind: str
    at: int  # UTC microseconds
    payload: dict[str, object]  # sealed where it is stored


class SmsArrivals(Protocol):
    """What the edge keeps durably by itself; StoreUnavailable if that is not possible now."""

    async def receipts(self, receipts: Sequence[Receipt]) -> list[bool]:
        """As in `Store`."""

    async def give_id_rule(self, carrier: str, rule: IdRule | None) -> None:
        """As in `Store`."""

    async def keep(self, arrivals: Sequence[Arrival]) -> None:
        """Keep them; what is there already stays as it is. Of each kind the newest 10,000 stay."""

    async def kept(self, carrier: str) -> list[Arrival]:
        """All of a carrier, the oldest first; an empty payload can be read no more."""

    async def move(self, ids: Sequence[str], kind: str, at: int) -> None:
        """They are of this kind and time from now on."""

    async def forget(self, carrier: str, kind: str, before: int) -> None:
        """Those that are older are of no use any more."""


# -- hand-off receivers (backends) ------------------------------------------------------------


class HandoffRoute(Protocol):
    """A way to a system or a person that takes hand-off records."""

    @property
    def name(self) -> str:
        """For the log."""

    async def deliver(self, handoff: str, record: dict[str, object]) -> str:
        """The receiver's acknowledgment; Unavailable if it cannot take it now. Safe to repeat."""


# -- the store --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effect:
    """A promise to do something outside, stored with the events that made it."""

    kind: str  # which executor: `sms`, `handoff`
    id: str  # ours, unique: msg_…, hand_…
    due: int  # UTC microseconds: not before
    payload: dict[str, object]
    # Of texts only.
    message_class: MessageClass = MessageClass.AT_MOST_ONCE
    priority: Priority = Priority.NORMAL
    until: int | None = None  # UTC microseconds: not sent any more from then on


@dataclass(frozen=True, slots=True)
class Job:
    """An effect in somebody's hands."""

    kind: str
    id: str
    stream: str
    payload: dict[str, object]
    attempts: int  # this one included
    state: str  # `due`: never written to the outside; `sending`: a crash left its fate open
    message_class: MessageClass = MessageClass.AT_MOST_ONCE
    priority: Priority = Priority.NORMAL
    until: int | None = None
    doubts: int = 0  # how often its fate was lost: if at all, it may have arrived


@dataclass(frozen=True, slots=True)
class Claim:
    """Texts that were taken, and what became of those that were not."""

    send: Sequence[Job] = ()  # theirs is `sending` from now on: write them
    lost: Sequence[Job] = ()  # a crash left their fate open: say what is known of them
    blocked: Sequence[str] = ()  # the rule of each text that is never sent
    postponed: int = 0  # by a rule
    expired: int = 0
    paused: Sequence[str] = ()  # the scopes of the kill switch that are on

    @property
    def moved(self) -> int:
        """How many rows it changed: if any, there may be more."""
        ended = len(self.blocked) + self.postponed + self.expired
        return len(self.send) + len(self.lost) + ended


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a job; see `Store.settle`."""

    job: Job
    events: Sequence[Event]
    retry_at: int | None = None
    wire: tuple[str, Sequence[str]] | None = None
    timers: Sequence[Timer] = ()
    counted: bool = True  # whether this was an attempt
    in_doubt: bool = False  # whether it may have arrived although it is due again


@dataclass(frozen=True, slots=True)
class Timer:
    """Something to be reminded of, at or after `due` (UTC microseconds)."""

    id: str
    stream: str
    kind: str
    due: int


@dataclass(frozen=True, slots=True)
class Position:
    """An event and its place in the whole log."""

    position: int
    envelope: Envelope


class Record(NamedTuple):
    """A committed event as it is stored: what is personal in it is sealed."""

    position: int
    id: str
    stream: str
    sequence: int
    at: int
    actor: str
    cause: str | None
    name: str
    version: int
    payload: str | None  # JSON; None once it has been erased
    link: bytes  # the hash that its stream stands on


@dataclass(frozen=True, slots=True)
class Fence:
    """A lease in hand. What is written under it is refused once somebody else has the lease."""

    name: str  # `worker:<id>`, `sealer`, `projections`, `ari:<pbx>`, …
    owner: str
    epoch: int  # moves on with every new owner


class Store(Protocol):
    """The log and what must change with it, each method one transaction.

    An append that has returned is on disk. StoreUnavailable if it cannot be.
    """

    async def append(
        self,
        stream: str,
        events: Sequence[Event],
        *,
        expected: int | None = None,
        effects: Sequence[Effect] = (),
        timers: Sequence[Timer] = (),
        subject: str | None = None,
        cause: str | None = None,
        dedupe: str | None = None,
        fence: Fence | None = None,
        held: bool | None = None,
    ) -> list[Envelope]:
        """Append in order. `expected` is the last sequence seen (0: a new stream) or Conflict.

        `subject` makes the stream the subject's latest. `cause` is the id of the event that led
        here. A `dedupe` key that is there already: nothing is written, [] is returned. With a
        `fence` nothing is written after somebody else has that lease: LeaseLost. `held` says that
        this worker has a live call in the stream, or has it no more.
        """

    async def read(self, stream: str, after: int = 0) -> list[Envelope]:
        """The events of a stream in order."""

    async def state(self, stream: str) -> Conversation:
        """What the conversation is after all its events; of a long one not all are read."""

    async def latest(self, *subjects: str) -> str | None:
        """The stream that one of these subjects turned to last."""

    async def lately(self, *subjects: str, limit: int) -> list[str]:
        """The streams that they turned to last, newest first."""

    async def tail(self, consumer: str, limit: int = 100) -> list[Position]:
        """What this consumer has not seen yet, in log order."""

    async def committed(self, consumer: str, limit: int = 100) -> list[Record]:
        """As `tail`, but as it is stored: what is personal stays sealed."""

    async def advance(self, consumer: str, position: int, fence: Fence | None = None) -> None:
        """Remember that all up to this position is done; LeaseLost as in `append`."""

    async def lag(self, consumer: str) -> int:
        """How many events the consumer has not seen yet."""

    async def changed(self, seen: int, timeout: float) -> int:
        """The number of changes so far; waits while it is still `seen`, up to the time-out.

        A hint, not a truth: other processes append too.
        """

    async def claim(self, kind: str, now: int, limit: int = 10) -> list[Job]:
        """Take due jobs: durable before it returns; only one claimer gets each."""

    async def claim_texts(
        self, now: int, limit: int, *, carriers: Sequence[str] = (), stale: int = 0
    ) -> Claim:
        """Take texts to be sent at once: their fate is open from the moment this returns.

        In the order of priority, then of `due`; of two texts to one recipient the second is not
        taken before the first is settled, unless that one must not go before a later time. What
        has expired, was promised for a time before `stale`, or is forbidden, ends in the same
        transaction, with its event. Nothing is taken while all these `carriers` are paused.
        """

    async def settle_many(self, settled: Sequence[Settled]) -> list[Exception | None]:
        """As `settle`, for many in one transaction; for each None, or why it was not done."""

    async def answered_late(self, answers: Sequence[tuple[str, Late]]) -> None:
        """Remember what the carrier says of texts, by their ids, whose fate was lost.

        Their ids are known from then on, as in `settle`. A text of unknown fate that was taken is
        submitted, and is not sent again if it has not been yet; one that never was is refused.
        """

    async def sending(self, job: Job) -> None:
        """From now on its fate is open: should we die, it comes back with the state `sending`.

        Durable before it returns; LeaseLost if the job is in other hands by now.
        """

    async def settle(
        self,
        job: Job,
        events: Sequence[Event],
        *,
        retry_at: int | None = None,
        wire: tuple[str, Sequence[str]] | None = None,
    ) -> None:
        """Finish a job (or make it due again at `retry_at`) and append what became of it.

        `wire` = (carrier, ids) makes later receipts findable. Receipts that came before it are
        appended too, in the same transaction. LeaseLost if the job is in other hands by now.
        """

    async def receipt(self, receipt: Receipt) -> bool:
        """Append the receipt to its message's stream; kept for later (False) if unknown yet."""

    async def receipts(self, receipts: Sequence[Receipt]) -> list[bool]:
        """As `receipt`, for many in one transaction: for each whether its message is known.

        Their ids are matched by the rule of their carrier (`smpp.ids`), which is learned from the
        first unambiguous matches and remembered for good. A repeated receipt changes nothing. What
        is kept for later is kept for 24 hours, at most the newest 100,000.
        """

    async def give_id_rule(self, carrier: str, rule: IdRule | None) -> None:
        """So the carrier writes ids, whatever was learned; None: go by what is learned."""

    async def due_timers(self, now: int, limit: int = 50, *, kind: str = "") -> list[Timer]:
        """Timers that are due, of one kind or of all."""

    async def drop_timer(self, id: str) -> None:
        """Forget a timer: it has fired or is not needed any more."""

    async def aclose(self) -> None:
        """Write what is queued and close."""


class Leases(Protocol):
    """Who does what there may be only one of; by the clock of the store."""

    @property
    def worker(self) -> str:
        """The name of this worker, another one at each start."""

    async def lease(self, name: str, ttl: float) -> Fence | None:
        """Take it for so many seconds, or keep it for that long; None while another has it."""

    async def renew(self, fences: Sequence[Fence], ttl: float) -> list[Fence]:
        """Keep them, also one that ran out before anybody took it; returns those that are lost."""

    async def release(self, fence: Fence) -> None:
        """Give it up: the next one need not wait."""

    async def held(self, kind: str) -> dict[str, str]:
        """Who has which leases whose names begin with `kind` and a colon, by their names."""

    async def once(self, job: str, slot: str, fence: Fence | None = None) -> bool:
        """True for whoever comes first with this job and slot; remembered for good."""
