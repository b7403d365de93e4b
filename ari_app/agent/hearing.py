"""What a turn means: which of two results counts, how sure it is, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from ari_app.conversation.state import Conversation
from ari_app.policy.bundle import Bundle
from ari_app.ports import Utterance, Word
from ari_app.understanding.answers import (
    UNKNOWN,
    Answer,
    Expected,
    Kind,
    guided_answer,
    phrases,
    read_answer,
)
from ari_app.understanding.commands import Command, read_command
from ari_app.understanding.confidence import USUAL_SNR, Evidence, calibrated
from ari_app.understanding.intents import Intents, Meaning
from ari_app.understanding.languages import Language, language
from ari_app.understanding.words import choice, plain

_BY_NAME = (Kind.YES_NO, Kind.PHRASES)  # a value of theirs may be the name of an intent


@dataclass(frozen=True, slots=True)
class Heard:
    """What a channel brought: words, a key, silence, or the loss of hearing."""

    channel: str  # voice, sms
    by: str  # speech, key, text, silence, hearing_lost, topic (the dialplan knows what it is)
    text: str = ""
    confidence: float = 1.0  # that the words are right, calibrated where there is evidence
    words: tuple[Word, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Understood:
    """The meaning of one turn; what it has none of is None."""

    meaning: Meaning = Meaning(None, 0.0)
    chosen: str | None = None  # what a choice named
    answer: Answer | None = None
    command: Command | None = None


def expected(bundle: Bundle, state: Conversation) -> Expected | None:
    """What the open question expects."""
    question = bundle.questions.get(state.question or "")
    return question.expects if question else None


def expected_phrases(bundle: Bundle, state: Conversation) -> tuple[str, ...]:
    """What a recogniser should listen for now, beside all else; () for nothing special."""
    wanted = expected(bundle, state)
    return phrases(wanted, language(bundle.language)) if wanted else ()


def weigh(bundle: Bundle, state: Conversation, utterance: Utterance, now: int) -> Heard:
    """The result that counts, and how sure it is that its words are the ones that were said.

    What was heard among the expected phrases counts if the whole of it is an answer; else what was
    heard of all words. `now` is UTC microseconds.
    """
    wanted, spoken = expected(bundle, state), language(bundle.language)
    today = _today(now, bundle.zone)
    guided: Answer | None = None
    # Who expects a yes may hear one in noise: then nobody else hears a word.
    if wanted is not None and utterance.guided is not None and utterance.words:
        guided = guided_answer(wanted, _text(utterance.guided), spoken, today)
    agrees = 0.0
    if guided is not None and wanted is not None:
        free = read_answer(wanted, utterance.text, spoken, today)
        agrees = 1.0 if free == guided else -1.0
    words = utterance.guided if guided and utterance.guided else utterance.words
    words = tuple(word for word in words if word.text != UNKNOWN)
    evidence = _evidence(utterance, words, agrees, guided is not None)
    more = {} if utterance.signal is None else {"level_db": round(utterance.signal.level_db, 1)}
    seconds = words[-1].end - words[0].start if words else 0.0
    if seconds > 0:
        more["pace"] = round(len(words) / seconds, 3)
    sure = calibrated(evidence) if utterance.measured else utterance.confidence
    return Heard(
        "voice",
        "speech",
        _text(words),
        sure,
        words,
        {**evidence.plain(), **more} if utterance.measured else {},
    )


def understand(
    bundle: Bundle, intents: Intents, state: Conversation, heard: Heard, now: int
) -> Understood:
    """What was said, keyed or written, at the question that is open."""
    if heard.by == "key":
        return _key(bundle, state, heard.text, now)
    if heard.by == "topic":
        return Understood(Meaning(heard.text, 1.0))
    if heard.by not in ("speech", "text"):
        return Understood()
    spoken = language(bundle.language)
    command = _command(bundle, heard, spoken)
    if command is not None:
        meant = bundle.commands.get(command.name)
        if meant is not None:
            return Understood(Meaning(meant, 1.0))
        return Understood(command=command)
    wanted = expected(bundle, state)
    answer = read_answer(wanted, heard.text, spoken, _today(now, bundle.zone)) if wanted else None
    offered = frozenset(bundle.choices(state.question))
    chosen = choice(heard.text, offered, bundle.language)
    if answer is not None and answer.kind in (Kind.CHOICES, Kind.PHRASES):
        chosen = answer.value
    if answer is not None and answer.kind in _BY_NAME and answer.value in bundle.intents:
        return Understood(Meaning(answer.value, 1.0), chosen, answer)
    return Understood(intents.read(heard.text), chosen, answer)


def _key(bundle: Bundle, state: Conversation, keys: str, now: int) -> Understood:
    wanted = expected(bundle, state)
    counted = wanted if wanted and wanted.kind is Kind.DIGITS else None
    answer = (
        read_answer(counted, keys, language(bundle.language), _today(now, bundle.zone))
        if counted
        else None
    )
    return Understood(Meaning(bundle.keys.get(keys), 1.0), answer=answer)


def _command(bundle: Bundle, heard: Heard, spoken: Language) -> Command | None:
    """Commands are for callers; by text, HELP and STOP have their own words."""
    if heard.channel != "voice":
        return None
    said = plain(heard.text)
    if any(said == plain(example) for each in bundle.intents.values() for example in each):
        # What the bundle has an example of means what the bundle says.
        return None
    command = read_command(heard.text, spoken)
    if command is None or (command.name in bundle.commands and not bundle.commands[command.name]):
        return None
    return command


def _evidence(
    utterance: Utterance, words: tuple[Word, ...], agrees: float, guided: bool
) -> Evidence:
    signal = utterance.signal
    all_words = utterance.words
    return Evidence(
        lowest=min((word.confidence for word in words), default=0.0),
        mean=Utterance("", words).confidence,
        unknown=sum(w.text == UNKNOWN for w in all_words) / len(all_words) if all_words else 0.0,
        stable=float(utterance.stable),
        agrees=agrees,
        guided=float(guided),
        snr=signal.snr_db if signal else USUAL_SNR,
        clipped=signal.clipped if signal else 0.0,
        lost=signal.lost if signal else 0.0,
        length=float(len(words)),
    )


def _text(words: tuple[Word, ...]) -> str:
    return " ".join(word.text for word in words)


def _today(now: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(now / 1_000_000, UTC).astimezone(zone).date()
