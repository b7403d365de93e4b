"""When a call may be recorded, and what a bundle may say about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ari_app.conversation.state import Conversation
from ari_app.errors import BundleError
from ari_app.policy.bundle import read_bundle
from ari_app.policy.recording import RecordingPolicy, When, Wish, wish
from tests.support.recorded import recorded

HEARD = Conversation(disclosed=True, disclosed_on="call_1")
YES = replace(HEARD, consent={"recording": True})
NO = replace(HEARD, consent={"recording": False})


@pytest.mark.parametrize(
    ("when", "state", "sensitive", "expected"),
    [
        (When.NEVER, YES, False, Wish.NOT),
        (When.CONSENT, HEARD, False, Wish.NOT),
        (When.CONSENT, YES, False, Wish.RECORD),
        (When.CONSENT, YES, True, Wish.PAUSE),
        (When.CONSENT, NO, False, Wish.REFUSED),
        (When.ALWAYS, HEARD, False, Wish.RECORD),
        (When.ALWAYS, HEARD, True, Wish.PAUSE),
        (When.ALWAYS, NO, False, Wish.REFUSED),
        # Consent to something else is none.
        (When.CONSENT, replace(HEARD, consent={"texts": True}), False, Wish.NOT),
        # Nobody has told the caller yet; not in this call.
        (When.ALWAYS, Conversation(), False, Wish.NOT),
        (When.ALWAYS, replace(HEARD, disclosed_on="call_0"), False, Wish.NOT),
        (When.CONSENT, replace(YES, disclosed_on=None), False, Wish.NOT),
    ],
)
def test_policy_and_consent_decide(
    when: When, state: Conversation, sensitive: bool, expected: Wish
) -> None:
    assert wish(RecordingPolicy(when), state, "call_1", sensitive=sensitive) is expected


def test_a_bundle_without_the_section_records_nothing() -> None:
    assert read_bundle(recorded("{}")).recording.when is When.NEVER


def test_a_question_for_a_code_is_sensitive() -> None:
    questions = read_bundle(recorded()).questions
    assert {name for name, q in questions.items() if q.sensitive} == {"code", "secret"}


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("{when: sometimes}", "when is one of never, consent, always, not 'sometimes'"),
        ("{whenever: always}", "unknown key 'whenever'"),
        ("{when: consent, purpose: 7}", "purpose cannot be 7"),
        ("{when: [always]}", "when cannot be"),
        ("{when: always}", "must tell the caller"),
        ("{when: always, told: we record}", "must tell the caller"),
    ],
)
def test_what_a_bundle_may_not_say(section: str, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence.replace("[", r"\[")):
        read_bundle(recorded(section))


def test_a_disclosure_that_tells_it_lets_every_call_be_recorded() -> None:
    bundle = read_bundle(recorded("{when: always, told: talking to a machine}"))
    assert bundle.recording.when is When.ALWAYS


def test_a_section_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(BundleError):
        read_bundle(recorded("always"))
