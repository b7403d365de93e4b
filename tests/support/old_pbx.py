"""Debian's Asterisk 16, the oldest that we work with: found or skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from asterisk.fetch import AsteriskMissing, find_old_root


def old_root_or_skip() -> Path:
    """An unpacked Asterisk 16; where none can be had, the test is skipped and says why."""
    try:
        return find_old_root()
    except AsteriskMissing as error:
        pytest.skip(f"Needs Debian's Asterisk 16: {error}")
