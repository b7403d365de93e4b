"""Who may enter: caps on all, on a caller and on a trunk, and none while the service stops."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.calls.admission import Admission, Caps, Refusal, cap_of
from ari_app.ports import IncomingCall


def call(channel: str, caller: str = "+1", trunk: str = "PJSIP/a") -> IncomingCall:
    return IncomingCall(channel, "100", caller, trunk)


def full_of(admission: Admission, *calls: IncomingCall) -> Admission:
    for one in calls:
        assert admission.refuses(one) is None
        admission.entered(one)
    return admission


def test_a_call_above_the_cap_is_refused_until_another_has_left() -> None:
    admission = full_of(Admission(Caps(2)), call("1"), call("2"))
    assert admission.refuses(call("3")) is Refusal.FULL
    admission.left("1")
    assert admission.refuses(call("3")) is None


def test_one_caller_cannot_take_every_line() -> None:
    admission = full_of(Admission(Caps(9, caller=2)), call("1"), call("2"))
    assert admission.refuses(call("3")) is Refusal.CALLER
    assert admission.refuses(call("3", caller="+2")) is None
    admission.left("2")
    assert admission.refuses(call("3")) is None


def test_callers_who_withhold_their_number_are_not_one_caller() -> None:
    full_of(Admission(Caps(9, caller=1)), call("1", caller=""), call("2", caller=""))


def test_one_trunk_cannot_take_every_line() -> None:
    admission = full_of(Admission(Caps(9, trunk=1)), call("1"))
    assert admission.refuses(call("2", caller="+2")) is Refusal.TRUNK
    assert admission.refuses(call("2", trunk="PJSIP/b")) is None
    assert admission.refuses(call("2", trunk="")) is None  # nobody knows by which


def test_a_service_that_stops_takes_nobody_and_keeps_those_who_are_in() -> None:
    admission = full_of(Admission(Caps(9)), call("1"))
    admission.drain()
    assert admission.refuses(call("2")) is Refusal.DRAINING
    admission.left("1")
    admission.left("1")


def test_a_call_that_nobody_was_asked_about_counts_as_well() -> None:
    admission = full_of(Admission(Caps(1)), call("1"))
    admission.entered(call("2"))  # taken over
    admission.left("1")
    assert admission.refuses(call("3")) is Refusal.FULL


def test_no_cap_is_no_cap() -> None:
    full_of(Admission(Caps(0)), *(call(str(n)) for n in range(500)))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 2)), max_size=60))
def test_the_counts_are_those_of_the_calls_that_are_in(steps: list[tuple[bool, int, int]]) -> None:
    caps = Caps(6, caller=3, trunk=4)
    admission, inside = Admission(caps), dict[str, IncomingCall]()
    for enters, number, who in steps:
        one = call(str(number), caller=f"+{who}", trunk=f"PJSIP/{who % 2}")
        if not enters:
            admission.left(one.channel)
            inside.pop(one.channel, None)
        elif one.channel not in inside:
            callers = sum(c.caller == one.caller for c in inside.values())
            trunks = sum(c.trunk == one.trunk for c in inside.values())
            room = len(inside) < 6 and callers < 3 and trunks < 4
            assert (admission.refuses(one) is None) is room
            if room:
                admission.entered(one)
                inside[one.channel] = one


@pytest.mark.parametrize(
    ("calls", "headroom", "cap"), [(50, 0.2, 40), (50, 0.0, 50), (3, 0.5, 1), (1, 0.9, 1)]
)
def test_a_measured_machine_keeps_headroom(calls: int, headroom: float, cap: int) -> None:
    assert cap_of(json.dumps({"calls": calls}), headroom) == cap


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"calls": "9"}', '{"calls": 0}', '{"calls": true}']
)
def test_what_is_no_capacity_file_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="calls"):
        cap_of(text, 0.2)
