"""User data headers of TS 23.040."""

import pytest

from smpp.national import UNSHIFTED, Language, Shift
from smpp.udh import NO_HEADER, Header, concatenation_16, header, read, shift_elements


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        ("0500030702 01 616263", Header(6, (7, 2, 1))),
        ("06080401020201 616263", Header(7, (0x10102, 2, 1))),
        ("0b 0504 0b8423f0 0003070201 61", Header(12, (7, 2, 1), ports=(0x0B84, 0x23F0))),
        ("04 0402 0102 61", Header(5, ports=(1, 2))),
        ("06 240101 250101 61", Header(7, shift=Shift(Language.TURKISH, Language.TURKISH))),
        ("03 24010d 61", Header(4, shift=Shift(None, Language.URDU))),
        ("03 240163 61", Header(4)),  # a language that nobody has named yet
        ("08 7003aabbcc 240102 61", Header(9, shift=Shift(None, Language.SPANISH))),
        # The last of two holds, §9.2.3.24, if it makes sense.
        ("0a 0003070201 0003080202 61", Header(11, (8, 2, 2))),
        ("0a 0003070201 0003080203 61", Header(11, (7, 2, 1))),
        ("06 240101 240102 61", Header(7, shift=Shift(None, Language.SPANISH))),
    ],
)
def test_elements_are_found_among_others_in_any_order(octets: str, expected: Header) -> None:
    assert read(bytes.fromhex(octets)) == expected


@pytest.mark.parametrize("octets", ["", "50 616263", "06 0003070201"])
def test_a_length_that_lies_is_no_header(octets: str) -> None:
    assert read(bytes.fromhex(octets)) == NO_HEADER


@pytest.mark.parametrize(
    "octets",
    [
        "05 0003070200 61",  # part 0
        "05 0003070203 61",  # part 3 of 2
        "05 0003070101 61",  # one of one
        "05 0003070001 61",
        "05 000a070201 61",  # longer than the header
        "04 00020702 61",
        "01 00 61",
        "00 61",
    ],
)
def test_an_element_that_makes_no_sense_is_ignored(octets: str) -> None:
    found = read(bytes.fromhex(octets))
    assert (found.place, found.shift, found.ports) == (None, UNSHIFTED, None)
    assert found.length == 1 + bytes.fromhex(octets)[0]


def test_a_header_without_a_text_behind_it_is_one() -> None:
    assert read(bytes.fromhex("050003070201")) == Header(6, (7, 2, 1))


def test_elements_are_written_as_they_are_read() -> None:
    shift = Shift(Language.PORTUGUESE, Language.SPANISH)
    written = header(concatenation_16(0x1FFFE, 3, 2) + shift_elements(shift))
    assert written.hex() == "0c0804fffe0302250103240102"
    assert read(written) == Header(13, (0x1FFFE, 3, 2), shift)
    assert header(b"") == b""
