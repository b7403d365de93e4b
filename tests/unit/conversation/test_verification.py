"""What was proved, how, when and until when; codes by text; and carrying it over."""

from __future__ import annotations

import pytest

from ari_app.conversation.events import (
    CodeTexted,
    CodeWrong,
    Event,
    IdentityProved,
    ProofEnded,
    to_payload,
)
from ari_app.conversation.state import fold
from ari_app.conversation.verification import (
    MOST_WRONG,
    Answer,
    Texted,
    Verification,
    carried,
    check,
    make_challenge,
    proof,
    proved,
)
from tests.support.events import in_a_stream

KEY = b"key of codes, and of nothing else"
MINUTE = 60_000_000
NOW = 1_800_000_000 * 1_000_000


def known(*happened: Event) -> Verification:
    return fold(in_a_stream(happened)).verification


NOTHING = Verification()


def texted(before: Verification = NOTHING, id: str = "code_1", tries: int = 3) -> Texted:
    made = make_challenge(
        before,
        "number",
        id=id,
        key=KEY,
        entropy=b"\x00" * 6 + b"\x02\x9a",
        now=NOW,
        lasts=10 * MINUTE,
        tries=tries,
    )
    assert made is not None
    return made


def answer(
    before: Verification, given: str, now: int = NOW
) -> tuple[Answer, tuple[CodeWrong | IdentityProved, ...]]:
    return check(before, given, key=KEY, now=now, lasts=60 * MINUTE)


def test_a_code_has_six_digits_and_is_in_no_event() -> None:
    made = texted()
    assert made.code == "000666"
    assert made.code not in repr(made)
    assert made.code not in str(to_payload(made.event))
    assert made.event.until == NOW + 10 * MINUTE


def test_the_right_code_proves_what_it_was_texted_for() -> None:
    made = texted()
    verdict, events = answer(known(made.event), made.code)
    assert verdict is Answer.RIGHT
    assert events == (
        IdentityProved(
            what="number",
            how="texted_code",
            level=2,
            at=NOW,
            until=NOW + 60 * MINUTE,
            challenge="code_1",
        ),
    )
    after = known(made.event, *events)
    assert proved(after, "number", 2, NOW)
    assert proved(after, "number", 1, NOW)
    assert not proved(after, "number", 3, NOW)
    assert not proved(after, "birth_date", 1, NOW)


@pytest.mark.parametrize("given", ["000 666", " 000-666 ", "000.666"])
def test_a_code_may_be_written_as_people_write_numbers(given: str) -> None:
    assert answer(known(texted().event), given)[0] is Answer.RIGHT


@pytest.mark.parametrize("given", ["", "666", "0006660", "oooGGG", "000666\ud800", "٠٠٠٦٦٦"])
def test_what_is_not_the_code_is_wrong_whatever_it_is(given: str) -> None:
    verdict, events = answer(known(texted().event), given)
    assert (verdict, events) == (Answer.WRONG, (CodeWrong(challenge="code_1"),))


def test_a_code_is_right_until_it_expires() -> None:
    before = known(texted().event)
    assert answer(before, "000666", NOW + 10 * MINUTE - 1)[0] is Answer.RIGHT
    assert answer(before, "000666", NOW + 10 * MINUTE) == (Answer.EXPIRED, ())


def test_a_code_is_right_once() -> None:
    made = texted()
    _, events = answer(known(made.event), made.code)
    assert answer(known(made.event, *events), made.code) == (Answer.USED, ())


def test_after_three_wrong_answers_the_right_one_comes_too_late() -> None:
    made = texted()
    story: list[Event] = [made.event]
    for _ in range(3):
        verdict, events = answer(known(*story), "123456")
        assert verdict is Answer.WRONG
        story += events
    assert answer(known(*story), made.code) == (Answer.SPENT, ())


def test_only_the_newest_code_counts() -> None:
    first = texted()
    second = make_challenge(
        known(first.event), "number", id="code_2", key=KEY, entropy=b"12345678", now=NOW, lasts=1
    )
    assert second is not None
    both = known(first.event, second.event)
    assert answer(both, first.code)[0] is Answer.WRONG
    assert answer(both, second.code)[0] is Answer.RIGHT


def test_the_same_digits_are_another_digest_for_another_challenge_or_key() -> None:
    digests = {texted(id="code_1").event.digest, texted(id="code_2").event.digest}
    assert len(digests) == 2
    other = check(known(texted().event), "000666", key=b"other", now=NOW, lasts=1)
    assert other[0] is Answer.WRONG


def test_new_codes_buy_no_more_guesses() -> None:
    story: list[Event] = []
    for n in range(MOST_WRONG // 3):
        story.append(texted(known(*story), id=f"code_{n}").event)
        for _ in range(3):
            story += answer(known(*story), "123456")[1]
    locked = known(*story)
    assert locked.locked
    refused = make_challenge(
        locked, "number", id="c", key=KEY, entropy=b"12345678", now=NOW, lasts=MINUTE
    )
    assert refused is None
    # A code that was texted by somebody who did not ask first is of no use either.
    assert answer(known(*story, texted(id="code_9").event), "000666") == (Answer.SPENT, ())


def test_a_right_answer_forgives_the_wrong_ones() -> None:
    made = texted()
    wrong = CodeWrong(challenge="code_1")
    story: list[Event] = [made.event, wrong, wrong]
    story += answer(known(*story), made.code)[1]
    assert known(*story).wrong == 0


def test_without_a_code_nothing_is_right() -> None:
    assert answer(Verification(), "000666") == (Answer.UNASKED, ())


def test_a_challenge_that_is_told_again_does_not_come_to_life_again() -> None:
    first, second = texted(), texted(id="code_2")
    _, events = answer(known(first.event), first.code)
    once = known(first.event, *events, second.event)
    assert known(first.event, *events, second.event, first.event) == once


def test_a_proof_ends_by_itself_or_when_it_is_told() -> None:
    fact = proof("number", "keys", 2, NOW, MINUTE)
    assert proved(known(fact), "number", 2, NOW + MINUTE - 1)
    assert not proved(known(fact), "number", 2, NOW + MINUTE)
    ended = known(fact, ProofEnded(what="number", reason="said so", at=NOW + 1))
    assert not proved(ended, "number", 1, NOW + 2)
    assert proved(known(fact, ProofEnded(what="pin", reason="", at=NOW + 1)), "number", 2, NOW)


def test_what_was_ended_can_be_proved_anew_but_the_old_proof_does_not_come_back() -> None:
    old, end = proof("number", "keys", 2, NOW, MINUTE), ProofEnded(what="number", reason="", at=NOW)
    new = proof("number", "keys", 2, NOW + 1, MINUTE)
    assert not proved(known(old, end, old), "number", 1, NOW)
    assert proved(known(old, end, new), "number", 2, NOW + 1)


def test_a_weaker_or_shorter_proof_takes_nothing_away() -> None:
    strong = proof("number", "operator", 3, NOW, MINUTE)
    weak, short = proof("number", "caller_id", 1, NOW, MINUTE), proof("number", "keys", 3, NOW, 1)
    assert proved(known(strong, weak, short), "number", 3, NOW + MINUTE - 1)


def test_a_later_proof_survives_an_end_even_if_it_is_over_first() -> None:
    long, later = proof("number", "keys", 2, NOW, MINUTE), proof("number", "keys", 2, NOW + 5, 10)
    end = ProofEnded(what="number", reason="", at=NOW + 3)
    for story in ((long, later, end), (later, long, end), (end, later, long)):
        assert proved(known(*story), "number", 2, NOW + 14)
        assert not proved(known(*story), "number", 2, NOW + 15)


def test_nobody_proves_the_same_thing_twice() -> None:
    there = known(proof("number", "texted_code", 2, NOW, 60 * MINUTE))
    (event,) = carried({"conv_1": there}, Verification(), NOW + MINUTE)
    assert event == IdentityProved(
        what="number",
        how="texted_code",
        level=2,
        at=NOW,
        until=NOW + 60 * MINUTE,
        origin="conv_1",
    )
    here = known(event)
    assert proved(here, "number", 2, NOW + MINUTE)
    assert carried({"conv_1": there}, here, NOW + MINUTE) == ()
    # From conversation to conversation it stays the proof of the first.
    assert carried({"conv_2": here}, Verification(), NOW + MINUTE) == (event,)


def test_neither_what_has_expired_nor_what_was_ended_anywhere_is_carried() -> None:
    fact = proof("number", "keys", 2, NOW, MINUTE)
    there = known(fact)
    ended = known(fact, ProofEnded(what="number", reason="lost phone", at=NOW + 1))
    assert carried({"conv_1": there}, Verification(), NOW + MINUTE) == ()
    assert carried({"conv_1": there, "conv_2": ended}, Verification(), NOW + 2) == ()
    assert carried({"conv_1": there}, ended, NOW + 2) == ()


def test_a_policy_may_carry_low_levels_only() -> None:
    there = known(
        proof("number", "caller_id", 1, NOW, MINUTE), proof("pin", "keys", 2, NOW, MINUTE)
    )
    carry = carried({"conv_1": there}, Verification(), NOW, highest=1)
    assert [(e.what, e.level) for e in carry] == [("number", 1)]


@pytest.mark.parametrize(
    ("how", "level", "lasts"), [("mood", 1, 1), ("keys", 0, 1), ("keys", 4, 1), ("keys", 2, 0)]
)
def test_a_proof_that_nobody_can_give_is_refused(how: str, level: int, lasts: int) -> None:
    with pytest.raises(ValueError, match="no proof"):
        proof("number", how, level, NOW, lasts)


def test_a_code_is_not_made_of_too_little() -> None:
    for key, entropy, lasts, tries in (
        (b"", b"12345678", 1, 1),
        (KEY, b"1234567", 1, 1),
        (KEY, b"12345678", 0, 1),
        (KEY, b"12345678", 1, 0),
    ):
        with pytest.raises(ValueError, match="a code"):
            make_challenge(
                Verification(),
                "number",
                id="c",
                key=key,
                entropy=entropy,
                now=NOW,
                lasts=lasts,
                tries=tries,
            )


def test_what_is_known_survives_a_code_that_nobody_remembers_any_more() -> None:
    story: list[Event] = [
        CodeTexted(challenge=f"c{n}", what="number", digest="", until=1, tries=1) for n in range(40)
    ]
    assert len(known(*story).texted) == 32
