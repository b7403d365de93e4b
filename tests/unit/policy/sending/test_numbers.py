"""Country and kind are those that phonenumbers tells, only sooner."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from ari_app.policy.sending.numbers import KINDS, NOWHERE, Facts, facts_of, zones_of

_KIND = {value: name.lower() for name, value in vars(PhoneNumberType).items() if type(value) is int}


def oracle(number: str) -> Facts:
    parsed = phonenumbers.parse(number)
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:
        assert parsed.country_code is not None
        region = phonenumbers.region_code_for_country_code(parsed.country_code)
    return Facts(region, _KIND[phonenumbers.number_type(parsed)])


EXAMPLES = [
    phonenumbers.format_number(example, PhoneNumberFormat.E164)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in range(11)
    if (example := phonenumbers.example_number_for_type(region, kind)) is not None
]


def test_the_example_of_every_kind_of_every_country_is_told_as_the_library_does() -> None:
    wrong = {n: (facts_of(n), oracle(n)) for n in EXAMPLES if facts_of(n) != oracle(n)}
    assert len(EXAMPLES) > 1000
    assert wrong == {}


def test_neighbours_of_examples_are_told_as_the_library_does() -> None:
    chance = random.Random(7)
    wrong = []
    for number in EXAMPLES:
        digits = list(number)
        digits[-chance.randint(1, 4)] = str(chance.randint(0, 9))
        other = "".join(digits)
        try:
            parsed = phonenumbers.parse(other)
        except phonenumbers.NumberParseException:
            continue  # a short number, of which not even the country is left
        # What the library reads as something else first, E164.read has read so before.
        if phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == other:
            wrong += [other] if facts_of(other) != oracle(other) else []
    assert wrong == []


@pytest.mark.parametrize(
    ("number", "facts"),
    [
        ("+33612345678", Facts("FR", "mobile")),
        ("+12025550123", Facts("US", "fixed_line_or_mobile")),
        ("+14165550123", Facts("CA", "fixed_line_or_mobile")),
        ("+18765551234", Facts("JM", "mobile")),
        ("+390612345678", Facts("IT", "fixed_line")),
        ("+447400123456", Facts("GB", "mobile")),
        ("+870123456789", Facts(NOWHERE, "unknown")),
        ("+999123456", Facts(NOWHERE, "unknown")),
        ("+15550100000", Facts("US", "unknown")),
    ],
)
def test_a_number_has_a_country_and_a_kind(number: str, facts: Facts) -> None:
    assert facts_of(number) == facts


def test_every_kind_is_one_that_a_setting_may_name() -> None:
    assert {facts_of(n).kind for n in EXAMPLES} <= KINDS


def test_the_zones_are_all_that_the_number_may_be_in() -> None:
    assert [z.key for z in zones_of("+33612345678")] == ["Europe/Paris"]
    assert {z.key for z in zones_of("+34612345678")} == {"Atlantic/Canary", "Europe/Madrid"}
    assert len(zones_of("+18005550123")) > 20


def test_a_number_of_no_country_has_no_zone() -> None:
    assert zones_of("+870123456789") == ()
