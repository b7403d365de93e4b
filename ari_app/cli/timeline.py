"""One conversation as a table that a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from rich.table import Table
from rich.text import Text

from ari_app.conversation import events as e
from ari_app.conversation.events import Envelope, Event

_STYLES = {
    "caller": "bold cyan",
    "agent": "bold green",
    "policy": "yellow",
    "carrier": "magenta",
    "hand-off": "blue",
    "call": "dim",
}


def table(envelopes: Sequence[Envelope]) -> Table:
    """Milliseconds since the beginning and the step before, who, what."""
    shown = Table(title=envelopes[0].stream if envelopes else "", title_justify="left")
    shown.add_column("at s", justify="right", no_wrap=True)
    shown.add_column("+ms", justify="right", no_wrap=True)
    shown.add_column("who", no_wrap=True)
    shown.add_column("what", overflow="fold")
    shown.add_column("detail", overflow="fold", style="dim")
    before = envelopes[0].at if envelopes else 0
    first = before
    for envelope in envelopes:
        who, what, detail = row(envelope.event)
        style = _STYLES.get(who, "")
        shown.add_row(
            f"{(envelope.at - first) / 1e6:.2f}",
            f"{(envelope.at - before) / 1e3:.0f}",
            Text(who, style),
            Text(what),
            Text(detail),
        )
        before = envelope.at
    return shown


def row(event: Event) -> tuple[str, str, str]:
    """(who, what, detail) of one event."""
    match event:
        case e.ConversationOpened():
            return "call", f"conversation opened by {event.channel}", f"to {event.did}"
        case e.CallReceived():
            return "call", "ringing", event.channel
        case e.CallAnswered():
            return "call", "answered", event.call
        case e.DisclosurePlayed():
            return "call", "disclosure heard in full", event.prompt
        case e.AgentSpoke():
            waited = "" if event.answer_ms is None else f", {event.answer_ms} ms after the caller"
            return "agent", event.text, f"{event.prompt}{waited}"
        case e.PromptInterrupted():
            return "caller", "spoke over the prompt", f"{event.prompt} after {event.after_ms} ms"
        case e.CallerSpoke():
            heard = f"confidence {event.confidence:.2f}, over after {event.endpoint_ms} ms"
            return "caller", f"“{event.text}”", heard
        case e.KeyPressed():
            return "caller", f"key {event.key}", ""
        case e.CallerSilent():
            return "caller", "silence", ""
        case e.HearingLost():
            return "call", "speech recognition is down: keys only", ""
        case e.HearingBack():
            return "call", "the caller can be heard again", ""
        case e.AudioMissing():
            return "call", "nothing comes from the caller's phone", ""
        case e.CallResumed():
            return "call", "taken over from a worker that is gone", event.call
        case e.DecisionMade():
            intent = f"{event.intent or 'no intent'} {event.confidence:.2f}"
            did = f"{event.rule}: {'; '.join(event.actions)}"
            return "policy", did, f"{intent}; {event.reason} [{event.bundle}]"
        case e.LanguageChosen():
            return "caller", f"language: {event.language}", f"by {event.by} {event.words}".strip()
        case e.DeliveryChosen():
            return "caller", f"speech: slower {event.slower}, louder {event.louder}", ""
        case e.WaitGranted():
            return "caller", "asked for a moment", f"{event.seconds} s"
        case e.AnswerHeard():
            return "caller", f"answered {event.value}", f"{event.question}, {event.kind}"
        case e.AnswerConfirmed():
            return "caller", "confirmed the answer", event.question
        case e.ConsentGiven():
            return "caller", f"agreed to {event.purpose}", f"by {event.how}, {event.wording}"
        case e.ConsentRefused():
            return "caller", f"refused {event.purpose}", f"by {event.how}"
        case e.ChoiceMade():
            return "caller", f"chose {event.choice}: {event.value}", event.question
        case e.TextPromised():
            return "agent", f"text: {event.body}", f"{event.template} {event.message}"
        case e.TextSubmitted():
            parts = f"{len(event.ids)} segment{'s' * (len(event.ids) > 1)}"
            return "carrier", "text submitted", f"{event.carrier}, {parts}"
        case e.TextDelayed():
            return "carrier", f"text waits: {event.reason}", f"attempt {event.attempts}"
        case e.TextRefused():
            return "carrier", f"text refused: {event.reason}", event.message
        case e.TextSightLost():
            return "carrier", f"fate of the text unknown: {event.reason}", event.message
        case e.TextResent():
            return "agent", f"text sent again: {event.reason}", f"attempt {event.attempts}"
        case e.TextExpired():
            return "agent", f"text not sent any more: {event.reason}", event.message
        case e.TextBlocked():
            return "policy", f"text blocked: {event.reason}", f"{event.rule} {event.message}"
        case e.TextCancelled():
            return "agent", f"text cancelled: {event.reason}", f"by {event.by}"
        case e.ReceiptReceived():
            return "carrier", f"receipt {event.state}", f"id {event.id}, error {event.error}"
        case e.ReceiptOverdue():
            return "carrier", f"no receipt came; the text is {event.state}", event.message
        case e.TextReceived():
            return "caller", f"text: “{event.body}”", event.carrier
        case e.OptedOut():
            return "caller", "wants no more texts", f"{event.word}, by {event.how}"
        case e.OptOutRepeated():
            return "caller", "wants no more texts, once more", event.word
        case e.OptedIn():
            return "caller", "wants texts again", f"{event.word}, by {event.how}"
        case e.HelpAsked():
            return "caller", "asked for help", event.word
        case e.RevocationHeard():
            return "caller", "may want no more texts: a person must look", event.pattern
        case e.CallBackRequested():
            return "caller", "wants to be called back", f"{event.callback}, {event.reason}"
        case e.RecordingStarted():
            return (
                "call",
                f"recording started, by {event.why}",
                f"{event.recording} {event.wording}",
            )
        case e.RecordingPaused():
            return "call", f"recording paused: {event.why}", event.recording
        case e.RecordingResumed():
            return "call", "recording goes on", event.recording
        case e.RecordingEnded():
            length = f"{event.seconds:.1f} s, {event.octets} octets"
            return "call", f"recording ended: {event.why}", f"{event.recording} {length}"
        case e.RecordingErased():
            return "call", f"recording erased: {event.why}", event.recording
        case e.CallbackDialled():
            return "call", "calling them back", f"attempt {event.attempt}, {event.callback}"
        case e.CallbackMissed():
            return "call", f"call-back: {event.outcome}", f"attempt {event.attempt}{_cause(event)}"
        case e.CallbackPostponed():
            return "policy", f"call-back waits: {event.reason}", event.callback
        case e.CallbackReached():
            return "caller", "was called back", event.callback
        case e.CallbackEnded():
            return "policy", f"call-back ended: {event.reason}", f"by {event.by}, {event.callback}"
        case e.PeopleRung():
            return "people", f"{event.who} rings", event.leg
        case e.PeopleMissed():
            return "people", f"{event.who}: {event.outcome}", f"{event.leg}{_cause(event)}"
        case e.PeopleAnswered():
            return "people", f"{event.who} took the call", event.leg
        case e.PeopleParted():
            return "people", f"the talk was ended by {event.by}", f"{event.seconds} s"
        case e.CallLeft():
            return "call", f"back to the dialplan: {event.exit}", event.reason
        case e.CallEnded():
            packets = ", ".join(f"{k} {v}" for k, v in event.statistics.items())
            return "call", f"ended: {event.cause}", packets
        case e.HandoffRecorded():
            record = event.record or {"outcome": "erased"}
            topic = record.get("topic") or "no topic"
            return "hand-off", f"record: {record['outcome']} ({topic})", event.handoff
        case e.HandoffAcknowledged():
            return "hand-off", f"acknowledged by {event.route}", event.receipt
        case e.HandoffDelayed():
            return "hand-off", f"{event.route} failed: {event.reason}", event.handoff
        case e.HandoffEscalated():
            return "hand-off", "escalated: a person must look", event.reason
        case e.CodeTexted():
            return "agent", f"texted a code for {event.what}", f"{event.tries} tries"
        case e.CodeWrong():
            return "caller", "gave another code", event.challenge
        case e.IdentityProved():
            origin = f", in {event.origin}" if event.origin else ""
            return "caller", f"proved {event.what}", f"by {event.how}, level {event.level}{origin}"
        case e.ProofEnded():
            return "policy", f"{event.what} is not proved any more", event.reason
        case e.PreferenceStated():
            origin = f", in {event.origin}" if event.origin else ""
            return "caller", f"prefers {event.what}: {event.value}", f"by {event.by}{origin}"
        case e.SubjectsJoined():
            return "policy", f"one person with {event.other}", f"{event.reason}, by {event.by}"
        case e.SubjectsParted():
            return "policy", f"not one person with {event.other}", f"{event.reason}, by {event.by}"
        case e.Unrecognised():
            return "call", event.name, f"version {event.version}, of a newer program"
        case _:
            assert_never(event)


def _cause(missed: e.PeopleMissed | e.CallbackMissed) -> str:
    """What the network said, as far as it said anything."""
    said = {"Q.850": missed.cause, "SIP": missed.status}
    return "".join(f", {name} {number}" for name, number in said.items() if number)
