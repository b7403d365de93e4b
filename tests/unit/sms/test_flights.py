"""What becomes of a text whose parts were answered each for itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.ports import Accepted, Lost, Refused, Throttled
from ari_app.sms.flights import PAUSE, Answer, fate
from smpp.errors import AnswerTimeout, NotSent, SessionClosed
from smpp.pool import Interrupted
from smpp.profile_sections import Meaning, Statuses

STATUSES = Statuses(opted_out=frozenset({0x400}))
THROTTLED, FULL = 0x58, 0x14
BAD_NUMBER = 0x0B
SYSTEM_ERROR = 0x08
OPTED_OUT = 0x400
CLOSED = SessionClosed("the session ended: it dropped")
SILENT = AnswerTimeout("submit_sm was not answered in time")
UNSENT = NotSent("no bind is up")
REST = Interrupted("the beginning of the text was written: it dropped")


def of(*answers: Answer) -> Accepted | Refused | Throttled | Lost:
    return fate("main", STATUSES, answers)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # One part.
        (["7"], Accepted("main", ("7",))),
        ([""], Accepted("main", ("",))),  # an SMSC without ids has taken it all the same
        ([THROTTLED], Throttled(PAUSE)),
        ([FULL], Throttled(PAUSE)),
        ([SYSTEM_ERROR], Refused("ESME_RSYSERR", transient=True)),
        ([BAD_NUMBER], Refused("ESME_RINVDSTADR", transient=False)),
        ([UNSENT], Refused("no bind is up", transient=True)),
        ([CLOSED], Lost("the session ended: it dropped", "main", (), 1)),
        ([SILENT], Lost("submit_sm was not answered in time", "main", (), 1)),
        # Several, of which the SMSC has all or none.
        (["7", "8"], Accepted("main", ("7", "8"))),
        ([THROTTLED, UNSENT], Throttled(PAUSE)),
        ([SYSTEM_ERROR, THROTTLED], Throttled(PAUSE)),
        ([SYSTEM_ERROR, UNSENT], Refused("ESME_RSYSERR", transient=True)),
        ([THROTTLED, REST], Throttled(PAUSE)),
        # Some.
        (["7", THROTTLED], Lost("1 of 2 parts were taken: ESME_RTHROTTLED", "main", ("7",), 2)),
        ([SYSTEM_ERROR, "8"], Lost("1 of 2 parts were taken: ESME_RSYSERR", "main", ("8",), 2)),
        (["7", "8", REST], Lost(f"2 of 3 parts were taken: {REST}", "main", ("7", "8"), 3)),
        # Perhaps some.
        (["7", CLOSED, REST], Lost(str(CLOSED), "main", ("7",), 3)),
        ([CLOSED, THROTTLED], Lost(str(CLOSED), "main", (), 2)),
        ([SILENT, REST], Lost(str(SILENT), "main", (), 2)),
        # Never again, whatever became of the other parts.
        (["7", BAD_NUMBER], Refused("ESME_RINVDSTADR", transient=False)),
        ([CLOSED, BAD_NUMBER], Refused("ESME_RINVDSTADR", transient=False)),
        ([THROTTLED, BAD_NUMBER], Refused("ESME_RINVDSTADR", transient=False)),
    ],
)
def test_what_the_answers_to_the_parts_mean_for_the_text(
    answers: list[Answer], expected: object
) -> None:
    assert of(*answers) == expected


@pytest.mark.parametrize(
    "others", [[], ["7"], [CLOSED], [BAD_NUMBER], [THROTTLED, UNSENT]], ids=repr
)
def test_one_part_that_the_recipient_does_not_want_says_it_for_the_text(
    others: list[Answer],
) -> None:
    found = of(*others, OPTED_OUT)
    assert isinstance(found, Refused)
    assert (found.transient, found.opted_out) == (False, True)


def test_what_a_carrier_calls_throttling_is_its_profiles_word() -> None:
    theirs = Statuses(throttled=frozenset({0x58, 0x4FF}))
    assert fate("main", theirs, [0x4FF]) == Throttled(PAUSE)
    assert fate("main", theirs, [FULL]) == Refused("ESME_RMSGQFUL", transient=True)


ANSWERS = st.lists(
    st.sampled_from(["7", "8", ""])
    | st.sampled_from([THROTTLED, FULL, BAD_NUMBER, SYSTEM_ERROR, OPTED_OUT])
    | st.integers(min_value=1, max_value=0xFFFFFFFF)
    | st.sampled_from([CLOSED, SILENT, UNSENT, REST]),
    min_size=1,
    max_size=8,
)


@given(ANSWERS)
def test_every_combination_of_answers_has_a_fate_that_loses_nothing(answers: list[Answer]) -> None:
    found = of(*answers)
    taken = tuple(a for a in answers if isinstance(a, str))
    doubtful = any(isinstance(a, SessionClosed) for a in answers)
    meanings = {STATUSES.meaning(a) for a in answers if isinstance(a, int)}
    match found:
        case Accepted(carrier=carrier, ids=ids):
            assert carrier == "main"
            assert ids == taken
            assert len(taken) == len(answers)
        case Lost(carrier=carrier, ids=ids, segments=segments, reason=reason):
            assert carrier == "main"
            assert taken or doubtful
            assert (ids, segments) == (taken, len(answers))
            assert reason
        case Throttled(pause=pause):
            assert not taken
            assert not doubtful
            assert Meaning.THROTTLED in meanings
            assert pause > 0
        case Refused(opted_out=opted_out, reason=reason) if found.transient:
            assert not taken
            assert not doubtful
            assert not opted_out
            assert not meanings - {Meaning.TEMPORARY}
            assert reason
        case Refused(opted_out=opted_out, reason=reason):
            assert meanings & {Meaning.PERMANENT, Meaning.OPTED_OUT}
            assert opted_out is (Meaning.OPTED_OUT in meanings)
            assert reason


@given(ANSWERS.flatmap(lambda answers: st.tuples(st.just(answers), st.permutations(answers))))
def test_the_kind_of_fate_does_not_depend_on_the_order_of_the_parts(
    both: tuple[list[Answer], list[Answer]],
) -> None:
    one, other = (of(*answers) for answers in both)
    assert type(one) is type(other)
    if isinstance(one, Refused) and isinstance(other, Refused):
        assert (one.transient, one.opted_out) == (other.transient, other.opted_out)
