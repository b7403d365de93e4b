"""What takes long carries a mark, so that it can be left out: pytest -m "not soak"."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: mixed calls for a minute; leave out with 'not soak'")
