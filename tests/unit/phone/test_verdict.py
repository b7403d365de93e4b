"""What a synthetic call found out, for people and for machines."""

from __future__ import annotations

import json

from ari_app.phone.verdict import Stage, Step, Verdict

WELL = Step(Stage.CALL, True, 0.01, "answered")
SLOW = Step(Stage.REPLY, True, 0.9, "answered")
QUICK = Step(Stage.REPLY, True, 0.5, "answered")
LATER = Step(Stage.LOG, False, None, "nothing there", "the log")
WRONG = Step(Stage.DISCLOSURE, False, None, "silence", "the firewall")


def test_the_first_step_that_failed_is_the_one_to_look_at() -> None:
    assert Verdict((WELL, WRONG, LATER)).failed is WRONG
    assert not Verdict((WELL, WRONG)).ok


def test_all_well_is_well() -> None:
    assert Verdict((WELL, SLOW)).ok


def test_of_several_replies_the_slowest_counts() -> None:
    assert Verdict((WELL, SLOW, QUICK, LATER)).slowest() == {Stage.CALL: 0.01, Stage.REPLY: 0.9}


def test_it_can_be_written_as_json() -> None:
    plain = json.loads(json.dumps(Verdict((WELL, WRONG), "conv_1", 10, 2).plain()))
    assert plain["ok"] is False
    assert plain["failed"] == "disclosure"
    assert plain["packets"] == {"received": 10, "missing": 2}
    assert plain["steps"][0]["seconds"] == 0.01
    assert plain["steps"][1]["seconds"] is None
    assert plain["steps"][1]["look_at"] == "the firewall"
