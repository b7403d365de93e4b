"""No life of a conversation makes a code or a proof worth more than was promised."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation.events import Event, IdentityProved, ProofEnded
from ari_app.conversation.state import fold
from ari_app.conversation.verification import (
    MOST_WRONG,
    Answer,
    Verification,
    after,
    carried,
    check,
    make_challenge,
    proved,
)
from tests.support.events import in_a_stream

KEY = b"key of codes"
TIMES = st.integers(0, 40)
WHATS = ("number", "birth_date")
LEVELS = st.integers(1, 3)
PROOFS = st.builds(
    lambda what, level, at, lasts, how: IdentityProved(
        what=what, how=how, level=level, at=at, until=at + lasts
    ),
    st.sampled_from(WHATS),
    LEVELS,
    TIMES,
    TIMES,
    st.sampled_from(["caller_id", "keys", "operator"]),
)
ENDS = st.builds(ProofEnded, what=st.sampled_from(WHATS), reason=st.just("told"), at=TIMES)
FACTS: st.SearchStrategy[list[Event]] = st.lists(PROOFS | ENDS, max_size=12)


def known(happened: list[Event]) -> Verification:
    return fold(in_a_stream(happened)).verification


def holds(happened: list[Event], what: str, level: int, now: int) -> bool:
    """The model: some proof of it, high enough, not over, and no end at or after it."""
    ends = [e.at for e in happened if isinstance(e, ProofEnded) and e.what == what]
    return any(
        e.what == what and e.level >= level and now < e.until and all(e.at > end for end in ends)
        for e in happened
        if isinstance(e, IdentityProved)
    )


@given(FACTS, st.sampled_from(WHATS), LEVELS, TIMES)
def test_what_is_proved_is_what_some_proof_says_that_neither_expired_nor_was_ended(
    happened: list[Event], what: str, level: int, now: int
) -> None:
    assert proved(known(happened), what, level, now) == holds(happened, what, level, now)


@given(FACTS, st.data())
def test_the_same_facts_again_in_any_order_prove_the_same(
    happened: list[Event], data: st.DataObject
) -> None:
    again = data.draw(st.permutations(happened + happened))
    for what in WHATS:
        for level in (1, 2, 3):
            for now in range(0, 81, 5):
                once = proved(known(happened), what, level, now)
                assert proved(known(again), what, level, now) == once


@given(st.lists(FACTS, min_size=1, max_size=4), FACTS, TIMES)
def test_carrying_brings_what_the_person_proved_and_not_a_moment_more(
    others: list[list[Event]], mine: list[Event], now: int
) -> None:
    proofs = {f"conv_{n}": known(other) for n, other in enumerate(others)}
    carry = carried(proofs, known(mine), now)
    everything = [event for story in (*others, mine) for event in story]
    here = known([*mine, *carry])
    for what in WHATS:
        for level in (1, 2, 3):
            # An end that another conversation knows keeps proofs out, and undoes none of here.
            expected = holds(everything, what, level, now) or holds(mine, what, level, now)
            assert proved(here, what, level, now) == expected
            for later in range(now, 81, 7):
                assert not proved(here, what, level, later) or (
                    holds(everything, what, level, later) or holds(mine, what, level, later)
                )
    assert carried(proofs, here, now) == ()
    told = {event for event in everything if isinstance(event, IdentityProved)}
    assert {replace(event, origin=None) for event in carry} <= told


#: What somebody does next: ask for a code, give the right one, give another one; and time passes.
DEEDS = st.lists(
    st.tuples(st.sampled_from(["ask", "right", "wrong", "old"]), st.integers(0, 12)), max_size=60
)


@given(DEEDS, st.integers(1, 4))
def test_a_code_is_right_at_most_once_in_time_and_after_few_wrong_answers(
    deeds: list[tuple[str, int]], tries: int
) -> None:
    state, now, lasts = Verification(), 0, 10
    codes: list[str] = []
    made_at, right, misses, in_a_row = 0, 0, 0, 0
    for deed, waited in deeds:
        now += waited
        if deed == "ask":
            made = make_challenge(
                state,
                "number",
                id=f"c{len(codes)}",
                key=KEY,
                entropy=len(codes).to_bytes(8, "big"),
                now=now,
                lasts=lasts,
                tries=tries,
            )
            assert (made is None) == (in_a_row >= MOST_WRONG)
            if made is not None:
                codes.append(made.code)
                state = after(state, made.event)
                made_at, right, misses = now, 0, 0
            continue
        if deed == "old" and len(codes) < 2:
            continue
        given_code = {"right": codes[-1] if codes else "000000", "wrong": "999999"}.get(
            deed, codes[0] if codes else ""
        )
        verdict, events = check(state, given_code, key=KEY, now=now, lasts=30)
        for event in events:
            state = after(state, event)
        if not codes:
            assert verdict is Answer.UNASKED
            continue
        allowed = right == 0 and now < made_at + lasts and misses < tries and in_a_row < MOST_WRONG
        assert (verdict is Answer.RIGHT) == (allowed and given_code == codes[-1])
        assert (verdict is Answer.WRONG) == (allowed and given_code != codes[-1])
        right += verdict is Answer.RIGHT
        misses += verdict is Answer.WRONG
        in_a_row = 0 if verdict is Answer.RIGHT else in_a_row + (verdict is Answer.WRONG)
        assert len(events) == (verdict in (Answer.RIGHT, Answer.WRONG))
    assert right <= 1
    assert state.wrong <= MOST_WRONG


@given(st.binary(min_size=8, max_size=16), st.text(max_size=8))
def test_only_the_texted_code_is_right(entropy: bytes, given_code: str) -> None:
    made = make_challenge(
        Verification(), "number", id="c", key=KEY, entropy=entropy, now=0, lasts=1
    )
    assert made is not None
    assert len(made.code) == 6
    assert made.code.isdecimal()
    verdict, _ = check(after(Verification(), made.event), given_code, key=KEY, now=0, lasts=1)
    spaced = given_code.replace(" ", "").replace("-", "").replace(".", "")
    assert (verdict is Answer.RIGHT) == (spaced == made.code)
