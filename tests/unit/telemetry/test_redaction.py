"""Nothing personal is left of a value that is logged, and what helps is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation.identity import E164
from ari_app.telemetry.redaction import masked, redacted

numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


@given(numbers, st.sampled_from(["", " ", ":", "_", "x", "(", "=", "%2B", "'", "sip:", "-"]))
def test_no_number_is_left_in_any_surroundings(number: str, before: str) -> None:
    for written in (number, number[1:]):
        said = masked(f"{before}{written}@host, again {written}.")
        assert number[1:] not in said
        assert said.count("*") >= 2


@pytest.mark.parametrize(
    "number",
    [
        "+33 1 23 45 67 89",
        "01 23 45 67 89",
        "01.23.45.67.89",
        "(555) 123-4567",
        "+1 (555) 123-4567",
        "555-123-4567",
        "0033123456789",
        "+1-555-123-4567",
        "2025550123",
    ],
)
def test_a_number_as_people_write_it_is_masked(number: str) -> None:
    said = masked(f"call {number} now")
    assert number not in said
    assert "*" in said
    assert said.startswith("call ")
    assert said.endswith(" now")


def test_the_mask_is_that_of_e164() -> None:
    assert masked("+33123456789") == E164("+33123456789").masked == "+331******89"


@pytest.mark.parametrize(
    "text",
    [
        "msg_0193456789abcdef0123456789abcdef submitted",
        "at 2026-11-20T12:11:15.123456 and 2026-11-20",
        "from 192.168.10.20:5060 to 127.0.0.1",
        "took 0.0012345678 s",
        "port 50123, 480 packets, status 200",
        "0193cafe-1234-7abc-8def-0123456789ab",
    ],
)
def test_ids_times_addresses_and_small_figures_stay(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    "name", ["text", "body", "words", "password", "secret", "token", "ami_secret", "Access-Token"]
)
def test_of_what_people_said_and_of_secrets_only_the_length_is_left(name: str) -> None:
    assert redacted("my knee hurts", name) == "<length 13>"
    assert redacted({"inner": {name: "my knee hurts"}}) == {"inner": {name: "<length 13>"}}


def test_numbers_hide_nowhere() -> None:
    value = {
        "+33123456789": [33123456789, ("+33123456789",), b"+33123456789"],
        "number": E164("+33123456789"),
        "deep": [[[[[[[["+33123456789"]]]]]]]],
    }
    assert "3123456" not in str(redacted(value))


def test_plain_values_stay() -> None:
    value = {"n": 5, "late": 1.5, "up": True, "none": None, "at": 1_790_000_000_000_000}
    assert redacted(value) == value


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_any_value_can_be_redacted(value: object) -> None:
    redacted(value, "field")
