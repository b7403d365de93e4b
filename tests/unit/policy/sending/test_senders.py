"""One sender has one form."""

from __future__ import annotations

import pytest

from ari_app.policy.sending.senders import sender_of


@pytest.mark.parametrize("written", ["+15550199", "15550199", "0015550199", " +1 5550199 "])
def test_a_number_is_its_digits(written: str) -> None:
    assert sender_of(written) == "15550199"


def test_a_short_code_and_a_name_stay_what_they_are() -> None:
    assert sender_of("36111") == "36111"
    assert sender_of("Harbour") == sender_of("HARBOUR") == "harbour"
    assert sender_of("") == ""
