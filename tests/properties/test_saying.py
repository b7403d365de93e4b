"""What always holds of values that are said."""

from __future__ import annotations

import contextlib
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.understanding.saying.language import MOST
from ari_app.understanding.saying.languages import LANGUAGES
from ari_app.understanding.saying.marks import as_template
from ari_app.understanding.saying.plain import read_aloud
from ari_app.understanding.saying.values import KINDS, say

tags = st.sampled_from(sorted(LANGUAGES))


@pytest.mark.parametrize("tag", LANGUAGES)
@given(
    one=st.integers(0, MOST - 1),
    other=st.integers(0, MOST - 1),
)
def test_no_two_numbers_sound_alike(tag: str, one: int, other: int) -> None:
    language = LANGUAGES[tag]
    assert (language.whole(one) == language.whole(other)) == (one == other)
    assert not any(c.isdigit() for c in language.whole(one))


@given(tags, st.decimals(min_value=-(10**12), max_value=10**12, places=2))
def test_every_amount_is_said_without_a_digit(tag: str, amount: Decimal) -> None:
    assert not any(c.isdigit() for c in say(amount, "money", LANGUAGES[tag]))


@given(tags, st.datetimes(), st.sampled_from(["date", "day", "time", "datetime"]))
def test_every_moment_is_said_without_a_digit(tag: str, moment: datetime, kind: str) -> None:
    assert not any(c.isdigit() for c in say(moment.isoformat(), kind, LANGUAGES[tag]))


@given(st.text(max_size=250), st.sampled_from(sorted(KINDS)), tags)
def test_any_value_is_said_or_refused_and_never_crashes(text: str, kind: str, tag: str) -> None:
    with contextlib.suppress(ValueError):
        assert len(say(text, kind, LANGUAGES[tag])) < 40_000


@given(
    st.text(alphabet="0123456789-:.,$€ +apmlsAUSD٣²", max_size=60), st.sampled_from(["en", "es"])
)
def test_any_text_is_read_aloud(text: str, tag: str) -> None:
    read_aloud(text, tag)


@pytest.mark.parametrize("tag", LANGUAGES)
def test_digits_of_another_script_are_no_time_of_ours(tag: str) -> None:
    assert read_aloud("14:2٣", tag) == "14:2٣"


@given(st.text(alphabet="{}:aé. %'|\n", max_size=40))
def test_any_wording_becomes_a_template_or_a_sentence(text: str) -> None:
    with contextlib.suppress(ValueError):
        as_template(text, "en")
