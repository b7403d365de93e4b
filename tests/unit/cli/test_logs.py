"""How an event of the log is shown, and what is taken out of it before."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ari_app.agent.turn import Heard
from ari_app.cli.lens import Lens
from ari_app.cli.log_export import written
from ari_app.cli.logged import (
    as_json,
    envelope,
    exported,
    line,
    read_limit,
    read_time,
    safe,
    short,
    time_text,
    up_to,
)
from ari_app.cli.logs import complete_name
from ari_app.cli.replaying import Replay, decided_again
from ari_app.conversation.events import (
    CallAnswered,
    CallerSpoke,
    ConversationOpened,
    DecisionMade,
    Event,
    HandoffAcknowledged,
    HandoffRecorded,
    TextPromised,
    TextSubmitted,
    Unrecognised,
    name_of,
)
from ari_app.conversation.state import Conversation
from ari_app.errors import SettingsError, Unavailable, UnreadableEvent
from ari_app.policy.bundle import read_bundle
from ari_app.privacy.payloads import Payloads
from ari_app.privacy.retention import Schedule
from ari_app.privacy.vault import Vault
from ari_app.store.browsing import Stored, Wanted
from tests.properties.test_policy import BUNDLE, STATES, TEXTS, VOICE, turn
from tests.support import keys
from tests.support.bundle import demo_text
from tests.support.clock import NOON, SECOND, FakeClock

NUMBER = "+12025550147"
WORDS = "the quick brown heron"
BODY = "Your table is under the willow."
SECRETS = (NUMBER, WORDS, "heron", BODY, "willow", "5550147")
STREAM = "conv_019f0000000070008000000012345678"

OPENED = ConversationOpened(channel="voice", did="100", language="en", number=NUMBER)
SPOKE = CallerSpoke(
    call="c", text=WORDS, words=(("heron", 0.0, 1.0, 0.9),), confidence=0.9, endpoint_ms=1
)
PROMISED = TextPromised(message="msg_1", template="hours", to=NUMBER, body=BODY)
RECORDED = HandoffRecorded(handoff="hand_1", route="first", record={"said": WORDS})
LIFE: list[Event] = [OPENED, CallAnswered(call="c"), SPOKE, PROMISED, RECORDED]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with keys.opened(tmp_path) as opened:
        schedule = Schedule({**keys.SCHEDULE.windows, "records": 90})
        yield Vault(opened, schedule, FakeClock(), os.urandom)


def stored(events: list[Event], vault: Vault | None = None, stream: str = STREAM) -> list[Stored]:
    """As the log holds them, one second after the other."""
    payloads = Payloads(vault)
    payloads.make_ready({(keys.ANNA, data_class) for data_class in payloads.classes(events)})
    return [
        Stored(
            place=40 + n,
            id=f"evt_{n}",
            stream=stream,
            sequence=n,
            at=NOON + n * SECOND,
            actor="segue",
            cause=None,
            name=name_of(event)[0],
            version=name_of(event)[1],
            payload=payloads.write(keys.ANNA, stream, n, event),
            payload_hash=None,
            link=bytes(32),
            dedupe=None,
        )
        for n, event in enumerate(events, start=1)
    ]


def shred(tmp_path: Path) -> None:
    with keys.opened(tmp_path) as others:
        others.shred(keys.ANNA)


# -- what is taken out ------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [True, False])
def test_without_being_revealed_no_number_word_or_body_is_shown(vault: Vault, sealed: bool) -> None:
    events = stored(LIFE, vault if sealed else None)
    lens = Lens(vault)
    shown = "".join(line(e, lens.see(e)) + as_json(e, lens.see(e)) for e in events)
    assert [secret for secret in SECRETS if secret in shown] == []
    assert "+120******47" in shown
    assert "text=***" in shown
    assert "record=***" in shown


def test_revealed_everything_is_as_it_was_said(vault: Vault) -> None:
    lens = Lens(vault, reveal=True)
    events = stored(LIFE, vault)
    assert [envelope(e, lens.see(e)).event for e in events] == LIFE
    assert f'text="{WORDS}"' in line(events[2], lens.see(events[2]))
    assert all(lens.see(e).masked == () for e in events)


def test_what_is_masked_is_still_an_event_of_its_kind(vault: Vault) -> None:
    lens = Lens(vault)
    masked = [envelope(e, lens.see(e)).event for e in stored(LIFE, vault)]
    assert [type(event) for event in masked] == [type(event) for event in LIFE]
    assert [s for s in SECRETS if s in repr(masked)] == []


@pytest.mark.parametrize("reveal", [True, False])
def test_what_was_erased_says_so_and_is_not_called_masked(
    vault: Vault, tmp_path: Path, reveal: bool
) -> None:
    spoke = stored([SPOKE], vault)[0]
    shred(tmp_path)
    seen = Lens(vault, reveal=reveal).see(spoke)
    assert (seen.erased, seen.masked) == (("text", "words"), ())
    assert "text=[erased]" in line(spoke, seen)
    assert json.loads(as_json(spoke, seen))["erased"] == ["text", "words"]


def test_a_seal_that_was_moved_is_said_and_opens_nothing(vault: Vault) -> None:
    one, other = stored([SPOKE, SPOKE], vault)
    moved = one._replace(payload=other.payload)
    seen = Lens(vault, reveal=True).see(moved)
    assert seen.broken == ("text", "words")
    assert "text=[seal broken]" in line(moved, seen)
    assert WORDS not in as_json(moved, seen)


def test_a_sealed_field_of_a_newer_program_is_masked_too(vault: Vault) -> None:
    (spoke,) = stored([SPOKE], vault)
    newer = spoke._replace(name="caller.sang", version=7)
    assert [s for s in SECRETS if s in as_json(newer, Lens(vault).see(newer))] == []
    assert Lens(vault, reveal=True).see(newer).fields["text"] == WORDS


def test_without_keys_what_is_sealed_stays_sealed(vault: Vault) -> None:
    (spoke,) = stored([SPOKE], vault)
    seen = Lens(None, reveal=True).see(spoke)
    assert (seen.fields["text"], seen.masked) == ("***", ("text", "words"))


def test_a_payload_that_is_gone_or_damaged_is_said() -> None:
    (call,) = stored([CallAnswered(call="c")])
    gone, damaged = call._replace(payload=None), call._replace(payload=f'"{NUMBER}"')
    lens = Lens(None)
    assert line(gone, lens.see(gone)).endswith("[erased]")
    assert NUMBER not in line(damaged, lens.see(damaged)) + as_json(damaged, lens.see(damaged))
    for event in (gone, damaged):
        with pytest.raises(UnreadableEvent):
            envelope(event, lens.see(event))


# -- how it is written ------------------------------------------------------------------------


def test_a_line_says_when_where_and_what() -> None:
    (answered,) = stored([CallAnswered(call="call_7")])
    shown = line(answered, Lens(None).see(answered))
    assert shown.split() == [
        "2026-11-20T12:00:01.000Z",
        "conv_…12345678",
        "1",
        "call.answered",
        "call=call_7",
    ]


def test_a_decision_is_shown_without_what_only_a_program_reads() -> None:
    decision = turn(Conversation(number=NUMBER), Heard("voice", "speech", "opening hours")).decision
    (event,) = stored([decision])
    shown = line(event, Lens(None).see(event))
    assert f"rule={decision.rule}" in shown
    assert "inputs" not in shown
    assert decision.bundle not in shown


def test_what_a_carrier_writes_never_reaches_the_terminal_as_a_command() -> None:
    (event,) = stored([CallAnswered(call="\x1b[2J\x9b31m\u202eevil\nnext")])
    seen = Lens(None).see(event)
    shown = line(event, seen)
    assert shown.isprintable()
    assert "\\u001b[2J" in shown
    assert as_json(event, seen).isprintable()
    assert exported(event).isprintable()


def test_a_long_value_is_cut_and_an_id_is_known_by_its_end() -> None:
    (event,) = stored([CallAnswered(call="x" * 500)])
    assert len(line(event, Lens(None).see(event))) < 150
    assert short(f"see {STREAM}!") == "see conv_…12345678!"
    assert short("conv_1") == "conv_1"
    assert safe("plain é") == "plain é"


def test_an_exported_line_is_the_whole_event_as_it_is_stored(vault: Vault) -> None:
    for event in stored(LIFE, vault):
        text = exported(event)
        assert event.payload is not None
        assert event.payload in text  # to the letter
        read = json.loads(text)
        assert read["payload"] == json.loads(event.payload)
        assert (read["format"], int(read["place"]), read["at"]) == (1, event.place, event.at)
        back = event._replace(
            **{k: read[k] for k in ("id", "stream", "sequence", "actor", "cause", "name")},
            version=read["version"],
            link=bytes.fromhex(read["link"]),
            dedupe=read["dedupe"],
        )
        assert back == event
        assert [secret for secret in SECRETS if secret in text] == []


def test_an_exported_line_is_one_line_whatever_is_stored() -> None:
    (event,) = stored([CallAnswered(call="c")])
    for payload, means in (
        ('{"a":\n1}', {"a": 1}),
        ('{"a":"\u2028"}', {"a": "\u2028"}),
        ("no\njson", "no\njson"),
        ("[1]", "[1]"),
        (None, None),
    ):
        text = exported(event._replace(payload=payload, payload_hash=b"\x01"))
        assert len(text.splitlines()) == 1
        assert json.loads(text)["payload"] == means
        assert json.loads(text)["payload_hash"] == "01"


# -- times and places -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-11-20T12:00:00Z", NOON),
        ("2026-11-20T12:00", NOON),  # UTC unless it says otherwise
        ("2026-11-20T13:00:00+01:00", NOON),
        ("2026-11-20T12:00:00.000001Z", NOON + 1),
        ("2026-11-20", NOON - 12 * 3600 * SECOND),
        ("90s", NOON - 90 * SECOND),
        ("15m", NOON - 900 * SECOND),
        ("2h", NOON - 7200 * SECOND),
        ("3d", NOON - 3 * 86_400 * SECOND),
    ],
)
def test_a_time_is_iso_8601_or_so_long_ago(text: str, means: int) -> None:
    assert read_time(text, "--since", NOON) == means


@pytest.mark.parametrize("text", ["", "yesterday", "2x", "-1h", "2026-13-01", "٣d", "h"])
def test_what_is_no_time_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(SettingsError, match="--until"):
        read_time(text, "--until", NOON)


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_time_that_is_shown_can_be_given_back(at: int) -> None:
    assert read_time(time_text(at, "microseconds"), "--at", NOON) == at


def test_a_time_of_no_calendar_is_a_number() -> None:
    assert time_text(1 << 62) == str(1 << 62)


def test_a_stream_is_cut_at_a_sequence_or_a_time() -> None:
    events = stored([CallAnswered(call=str(n)) for n in range(4)])
    assert up_to(events, read_limit("2", "--at", NOON)) == events[:2]
    assert up_to(events, read_limit("0", "--at", NOON)) == []
    assert up_to(events, read_limit("2026-11-20T12:00:03Z", "--at", NOON)) == events[:3]
    # A clock that was put back: a beginning all the same.
    back = [events[0], events[1]._replace(at=NOON + 9 * SECOND), *events[2:]]
    assert up_to(back, (None, NOON + 5 * SECOND)) == back[:1]
    assert up_to(events, (None, None)) == events


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [("call.*", True), ("CALL.answered", True), ("call", False), ("?all.answered", True),
     ("*", True), ("call_answered", False), ("text.*", False), ("call.[a]*", False)],
)  # fmt: skip
def test_a_pattern_takes_names(pattern: str, taken: bool) -> None:
    (event,) = stored([CallAnswered(call="c")])
    assert Wanted(names=(pattern,)).takes(event) is taken


def test_names_are_completed() -> None:
    assert "call.answered" in complete_name("call.a")
    assert "call.*" in complete_name("call")
    assert complete_name("moon") == []


# -- a file -----------------------------------------------------------------------------------


def test_a_file_is_there_whole_and_private(tmp_path: Path) -> None:
    out = tmp_path / "log.jsonl"
    out.write_text("old")
    with written(str(out)) as write:
        write("né\n")
        assert out.read_text() == "old"
        write("w\n")
    assert out.read_text(encoding="utf-8") == "né\nw\n"
    assert out.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "log.jsonl"
    out.write_text("old")

    def stopped() -> None:
        with written(str(out)) as write:
            write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert out.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


@pytest.mark.parametrize("out", ["", "away/log.jsonl"])
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, out: str) -> None:
    with pytest.raises(Unavailable, match="cannot write"), written(str(tmp_path / out)) as write:
        write("x")


# -- replay -----------------------------------------------------------------------------------


def replayed(
    events: list[Stored], head: int | None = None, vault: Vault | None = None
) -> tuple[list[str], Replay]:
    again = Replay(Lens(vault, reveal=True), BUNDLE)
    again.stream(STREAM, events, len(events) if head is None else head)
    return [fault.what for fault in again.found.faults], again


def a_turn() -> DecisionMade:
    return turn(Conversation(number=NUMBER), Heard("voice", "speech", "text me", 0.9)).decision


def test_a_sound_stream_replays_without_a_fault(vault: Vault) -> None:
    acknowledged = HandoffAcknowledged(handoff="hand_1", route="file", receipt="r")
    life = [*LIFE, a_turn(), acknowledged, Unrecognised(name="x.y", version=9, payload={})]
    faults, again = replayed(stored(life, vault), vault=vault)
    assert faults == []
    found = again.found
    assert (found.streams, found.events, found.newer) == (1, len(life), 1)
    assert (found.decisions, found.same) == (1, 1)


def test_a_replay_after_an_erasure_is_still_sound(vault: Vault, tmp_path: Path) -> None:
    events = stored([*LIFE, a_turn()], vault)
    shred(tmp_path)
    faults, again = replayed(events, vault=vault)
    assert (faults, again.found.same) == ([], 1)


def test_a_gap_a_short_end_and_a_wrong_order_are_found() -> None:
    events = stored([CallAnswered(call=str(n)) for n in range(4)])
    assert replayed(events)[0] == []
    assert replayed([events[0], *events[2:]], head=4)[0] == ["there is a gap after event 1"]
    assert "the head of the stream says 5" in replayed(events, head=5)[0][0]
    turned = [events[0], events[1]._replace(place=1), *events[2:]]
    assert replayed(turned)[0] == ["stands in the log before the event it follows"]
    caused = [events[0]._replace(cause="evt_3"), *events[1:]]
    assert replayed(caused)[0] == ["was caused by an event that did not come earlier"]


def test_what_cannot_be_read_is_a_fault_and_quotes_nobody(vault: Vault) -> None:
    events = stored(LIFE, vault)
    events[1] = events[1]._replace(payload=json.dumps({"call": 12}))
    events[2] = events[2]._replace(payload=events[3].payload)
    faults, _ = replayed(events, vault=vault)
    assert any("call is of another type" in fault for fault in faults)
    assert any("is not what was sealed there" in fault for fault in faults)
    assert [secret for secret in SECRETS if secret in "".join(faults)] == []


def test_a_text_that_was_never_promised_is_found() -> None:
    submitted = TextSubmitted(message="msg_1", carrier="main", ids=("1",), attempts=1)
    assert replayed(stored([OPENED, PROMISED, submitted]))[0] == []
    (fault,) = replayed(stored([OPENED, submitted, PROMISED]))[0]
    assert fault == "text.submitted of msg_1, which was not promised before"


def test_what_was_promised_in_an_erased_payload_is_not_missed() -> None:
    submitted = TextSubmitted(message="msg_1", carrier="main", ids=("1",), attempts=1)
    events = stored([OPENED, PROMISED, submitted])
    events[1] = events[1]._replace(payload=None)
    faults, again = replayed(events)
    assert (faults, again.found.erased) == ([], 1)


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "another"},
        {"actions": ("say nothing",)},
        {"intent": "moon"},
        {"confidence": 0.123},
        {"topic": "moon"},
        {"question": "moon"},
    ],
)
def test_a_decision_that_would_not_be_made_again_is_found(change: dict[str, Any]) -> None:
    changed = dataclasses.replace(a_turn(), **change)
    (fault,) = replayed(stored([OPENED, changed]))[0]
    assert f"decided again: {next(iter(change))} was" in fault


def test_a_decision_of_another_bundle_is_counted_and_not_made_again() -> None:
    other = dataclasses.replace(a_turn(), bundle="0123", rule="gone by now")
    faults, again = replayed(stored([OPENED, other]))
    assert (faults, again.found.same) == ([], 0)
    assert again.found.other_bundles == {"0123": 1}


def test_a_decision_whose_inputs_are_not_all_recorded_is_not_made_again() -> None:
    decision = a_turn()
    few = {k: v for k, v in decision.inputs.items() if k != "hearing"}
    faults, again = replayed(stored([OPENED, dataclasses.replace(decision, inputs=few)]))
    assert (faults, again.found.same, again.found.unknowable) == ([], 0, 1)


def test_the_first_question_of_a_call_is_decided_again() -> None:
    opening = BUNDLE.opening
    greeting = dataclasses.replace(
        a_turn(), rule="greeting", inputs={}, actions=(f"ask {opening}",), question=opening
    )
    assert replayed(stored([OPENED, greeting]))[0] == []
    other = dataclasses.replace(greeting, question="moon")
    assert len(replayed(stored([OPENED, other]))[0]) == 1


def test_a_changed_bundle_decides_otherwise() -> None:
    """What is compared is the bundle's word, not the record's own."""
    decision = a_turn()
    rules = [rule for rule in BUNDLE.rules if rule.name != decision.rule]
    again = decided_again(dataclasses.replace(BUNDLE, rules=tuple(rules)), decision)
    assert again is not None
    assert again["rule"] != decision.rule
    assert read_bundle(demo_text()).hash == decision.bundle


@settings(max_examples=200)
@given(STATES, VOICE | TEXTS, st.booleans())
def test_every_decision_of_the_agent_is_made_again_exactly(
    state: Conversation, heard: Heard, up: bool
) -> None:
    decision = turn(state, heard, up).decision
    (event,) = stored([decision])  # through JSON, as the log keeps it
    kept = envelope(event, Lens(None).see(event)).event
    assert isinstance(kept, DecisionMade)
    again = decided_again(BUNDLE, kept)
    assert again == {name: getattr(kept, name) for name in again or {}}
    assert again is not None
    assert len(again) == 6
