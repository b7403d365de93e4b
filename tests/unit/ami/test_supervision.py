"""What supervision makes of Asterisk's words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.ami.supervision import AmiState, AmiSupervision, read_status
from ari_app.errors import PbxUnavailable
from ari_app.telemetry.meter import PrometheusMeter

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FIELDS = ["CoreStartupDate", "CoreStartupTime", "CoreCurrentCalls"]


def test_the_status_of_a_running_asterisk_is_a_value() -> None:
    said = {
        "CoreStartupDate": "2026-11-20",
        "CoreStartupTime": "11:00:30",
        "CoreCurrentCalls": "3",
    }

    state = read_status("22.10.1", said, NOON)

    assert (state.version, state.started) == ("22.10.1", "2026-11-20 11:00:30")
    assert state.calls == 3


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=12)))
def test_any_status_is_a_value(said: dict[str, str]) -> None:
    state = read_status("", said, NOON)
    assert state.uptime >= 0
    assert state.calls >= 0


async def test_before_it_is_up_nothing_is_sent() -> None:
    ami = AmiSupervision("127.0.0.1", 1, "user", "secret", PrometheusMeter(strict=True))

    assert ami.state is AmiState.CONNECTING
    assert ami.pbx is None
    with pytest.raises(PbxUnavailable, match="Originate was not sent"):
        await ami.ask("Originate")


@pytest.mark.parametrize("secret", ["a\r\nAction: Originate", "a\0"])
def test_a_secret_cannot_be_another_action(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        AmiSupervision("127.0.0.1", 1, "user", secret, PrometheusMeter(strict=True))
