"""What the tests of the dialplan share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asterisk.private import PrivateAsterisk
from tests.support.pbx import Ami, hang_up_everything, setting


@pytest.fixture
def ami(pbx: PrivateAsterisk) -> Iterator[Ami]:
    """Everything that happens during one test; afterwards every call of it is over."""
    with Ami(pbx) as ami:
        yield ami
    hang_up_everything(pbx)


@pytest.fixture
def hurried(pbx: PrivateAsterisk) -> Iterator[None]:
    """A beep in place of the sentence before people, for tests about something else."""
    with setting(pbx, "SEGUE_SAY_HOLD", "beep"):
        yield
