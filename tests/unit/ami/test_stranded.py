"""Who is alone in a dead application, from what Asterisk lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_app.ami.stranded import Stranded, stranded

FIELDS = ["Channel", "Uniqueid", "Application", "ApplicationData", "BridgeId"]


def channel(
    name: str, application: str = "Stasis", data: str = "segue,inbound,1000,", bridge: str = ""
) -> dict[str, str]:
    """A row as Asterisk 22.10.1 has it."""
    return {
        "Event": "CoreShowChannel",
        "Channel": name,
        "Uniqueid": f"id-{name}",
        "Application": application,
        "ApplicationData": data,
        "BridgeId": bridge,
    }


CALLER = channel("PJSIP/carrier-1", bridge="br-1")
LEG = channel("UnicastRTP/127.0.0.1:20000-0x1", data="segue,media,call_1", bridge="br-1")
PERSON = channel("PJSIP/desk-2", data="segue,agent,hand_1", bridge="br-1")


def names(*rows: dict[str, str]) -> list[str]:
    return [one.name for one in stranded(rows, "segue")]


def test_a_caller_with_nothing_but_a_media_leg_is_alone() -> None:
    assert stranded([CALLER, LEG], "segue") == [
        Stranded("PJSIP/carrier-1", "id-PJSIP/carrier-1", caller=True)
    ]


def test_a_caller_in_no_bridge_yet_is_alone() -> None:
    assert names(channel("PJSIP/carrier-3")) == ["PJSIP/carrier-3"]


def test_two_callers_in_no_bridge_are_no_company() -> None:
    assert len(names(channel("PJSIP/a"), channel("PJSIP/b"))) == 2


def test_a_caller_who_talks_with_a_person_is_left_alone() -> None:
    assert names(CALLER, LEG, PERSON) == []
    queue_agent = channel("PJSIP/desk-4", "AppQueue", "(Outgoing Line)", "br-1")
    assert names(CALLER, LEG, queue_agent) == []


def test_a_person_whose_caller_has_gone_is_no_caller() -> None:
    assert stranded([LEG, PERSON], "segue") == [
        Stranded("PJSIP/desk-2", "id-PJSIP/desk-2", caller=False)
    ]


def test_whoever_is_elsewhere_is_not_touched() -> None:
    assert (
        names(
            channel("PJSIP/a", "Queue", "people,r"),
            channel("PJSIP/b", data="other,inbound,1000,"),
            channel("PJSIP/c", data="segue2,inbound,1000,"),
            channel("PJSIP/d", data="segue"),
            LEG,
            {},
        )
        == []
    )


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=12))))
def test_any_list_is_read(rows: list[dict[str, str]]) -> None:
    assert len(stranded(rows, "segue")) <= len(rows)
