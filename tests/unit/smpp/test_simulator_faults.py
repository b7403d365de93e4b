"""The switches of the simulator: what each takes, and what it refuses."""

from dataclasses import asdict

import pytest

from smpp.simulator.faults import FaultError, Faults, change, describe, read


def test_every_switch_has_a_meaning_and_does_nothing_at_first() -> None:
    rows = describe()
    assert [row.name for row in rows] == list(asdict(Faults()))
    assert all(row.meaning and row.group for row in rows)
    for row in rows:
        change(Faults(), {row.name: row.default})  # its default is allowed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hex_ids", True),
        ("throttle_first", 3),
        ("refuse_status", 0x40B),
        ("refuse_share", 1),
        ("throttle_above", 2.5),
        ("drop_after", None),
        ("drop_after", 4),
        ("receipt_form", "words"),
        ("receipt_delay", "2~0.8"),
        ("receipt_delay", ""),
        ("failures", "UNDELIV=0.5"),
    ],
)
def test_a_switch_is_thrown(name: str, value: object) -> None:
    faults = Faults()
    change(faults, {name: value})
    assert getattr(faults, name) == value


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("hex_ids", 1, "yes or no"),
        ("throttle_first", -1, "a number from 0"),
        ("throttle_first", True, "a number from 0"),
        ("throttle_first", 1.5, "a number from 0"),
        ("throttle_first", None, "a number from 0"),
        ("refuse_status", 2**32, "a number from 0"),
        ("throttle_above", float("inf"), "a number from 0"),
        ("throttle_above", float("nan"), "a number from 0"),
        ("throttle_above", True, "a number from 0"),
        ("drop_after", 0, "a number from 1"),
        ("drop_after", "2", "a number from 1"),
        ("receipt_form", "loud", "standard, words"),
        ("receipt_form", None, "standard, words"),
        ("receipt_delay", "soon", "a delay is"),
        ("receipt_delay", 2, "a short text"),
        ("receipt_delay", "1" * 201, "a short text"),
        ("failures", "LOST=1", "failures are such as"),
    ],
)
def test_a_switch_that_cannot_be_thrown_so_says_how(name: str, value: object, allowed: str) -> None:
    with pytest.raises(FaultError, match=f"no such value: {name}; allowed: .*{allowed}"):
        change(Faults(), {name: value})


def test_all_are_thrown_or_none() -> None:
    faults = Faults()
    with pytest.raises(FaultError, match="no such fault: 'hexids'"):
        change(faults, {"hex_ids": True, "hexids": True})
    assert faults == Faults()


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("hex_ids", ("hex_ids", True)),
        ("hex-ids=no", ("hex_ids", False)),
        ("refuse_status=0x58", ("refuse_status", 0x58)),
        ("refuse_status=ESME_RMSGQFUL", ("refuse_status", 0x14)),
        ("throttle_above=2.5", ("throttle_above", 2.5)),
        ("drop_after=", ("drop_after", None)),
        ("drop_after = 5", ("drop_after", 5)),
        ("failures=UNDELIV=0.1/006", ("failures", "UNDELIV=0.1/006")),
    ],
)
def test_a_switch_is_read_as_it_is_written(written: str, read_as: tuple[str, object]) -> None:
    assert read(written) == read_as


@pytest.mark.parametrize("written", ["", "nothing=1", "hex_ids=perhaps", "throttle_first=many"])
def test_nonsense_is_refused(written: str) -> None:
    with pytest.raises(FaultError, match="no such"):
        read(written)
