"""What TON and NPI an address gets, and how it is shown."""

import pytest

from smpp.address import Address, LongAddress
from smpp.constants import Ton
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


@pytest.mark.parametrize("written", ["36200", "Segue", "+33123456789"])
def test_a_carrier_that_wants_another_ton_and_npi_is_given_it(written: str) -> None:
    # SMSPortal wants 0/0 for everything; others 6/0 or 0/1 for short codes.
    address = Address.of(written, international=(0, 0), short_code=(0, 0), name=(0, 0))
    assert (address.ton, address.npi, address.digits) == (0, 0, written.lstrip("+"))
    assert Address.of("36200", short_code=(6, 0)).ton == Ton.ABBREVIATED


def test_a_name_of_eleven_characters_fits_and_of_twelve_is_refused() -> None:
    assert Address.of("Segue Paris").digits == "Segue Paris"
    with pytest.raises(LocalProtocolError):
        Address.of("Segue Paris!")


@pytest.mark.parametrize("digits", ["1\x002", "€", "\u0100"])
def test_what_no_c_octet_string_holds_is_no_address(digits: str) -> None:
    for kind in (Address, LongAddress):
        with pytest.raises(LocalProtocolError):
            kind(5, 0, digits)


def test_latin_1_that_a_peer_sends_is_an_address() -> None:
    assert Address(5, 0, "Ségué").digits == "Ségué"


def test_a_long_address_has_its_own_limit() -> None:
    assert LongAddress(0, 14, "x" * 64).digits == "x" * 64
    with pytest.raises(LocalProtocolError):
        LongAddress(0, 14, "x" * 65)
    assert LongAddress(1, 1, "33123456789") != Address(1, 1, "33123456789")
