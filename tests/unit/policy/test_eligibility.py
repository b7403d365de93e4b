"""May this person be texted: one answer, one reason."""

from __future__ import annotations

import pytest

from ari_app.policy.eligibility import may_text

MOBILE = "+12025550123"


def test_a_number_that_can_receive_texts_may_be_texted() -> None:
    answer = may_text(MOBILE, bind_up=True)
    assert answer.ok
    assert answer.reason == "the number can receive texts and a bind is up"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (None, "the caller withheld the number"),
        ("5550123", "the number is not an E.164 number"),
        ("+999123456789", "the number is not an E.164 number"),
        ("+18005550123", "the number cannot receive texts"),  # toll-free
        ("+33123456789", "the number cannot receive texts"),  # a fixed line
        ("+19005550123", "the number cannot receive texts"),  # premium
    ],
)
def test_each_refusal_has_its_reason(number: str | None, reason: str) -> None:
    answer = may_text(number, bind_up=True)
    assert not answer.ok
    assert answer.reason == reason


@pytest.mark.parametrize("number", ["+33612345678", "+447911123456", "+12025550123"])
def test_mobiles_of_several_countries_may_be_texted(number: str) -> None:
    assert may_text(number, bind_up=True).ok


def test_nobody_is_offered_a_text_that_cannot_leave() -> None:
    answer = may_text(MOBILE, bind_up=False)
    assert not answer.ok
    assert answer.reason == "no carrier bind is up"
