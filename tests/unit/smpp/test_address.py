"""What TON and NPI an address gets, and how it is shown."""

import pytest

from smpp.address import Address
from smpp.errors import LocalProtocolError


@pytest.mark.parametrize(
    ("written", "ton", "npi", "digits"),
    [
        ("+33123456789", 1, 1, "33123456789"),
        ("33123456789", 1, 1, "33123456789"),
        ("+290234567", 1, 1, "290234567"),
        ("36200", 3, 0, "36200"),
        ("Segue", 5, 0, "Segue"),
    ],
)
def test_ton_and_npi_follow_from_the_writing(written: str, ton: int, npi: int, digits: str) -> None:
    assert Address.of(written) == Address(ton, npi, digits)


@pytest.mark.parametrize("written", ["", "twelve chars", "a@b", "Séguë", "+12", "1" * 16])
def test_what_no_network_carries_is_refused_not_cut(written: str) -> None:
    with pytest.raises(LocalProtocolError):
        Address.of(written)


def test_an_address_longer_than_the_field_cannot_exist() -> None:
    with pytest.raises(LocalProtocolError):
        Address(1, 1, "1" * 21)


def test_a_number_is_written_with_its_plus_and_shown_masked() -> None:
    address = Address.of("+33123456789")
    assert address.written == "+33123456789"
    assert address.masked == "+331******89"
    assert Address.of("36200").masked == "*****"
    assert "33123456789" not in repr(address)
