"""Properties on a machine that is busy with other tests."""

from __future__ import annotations

from hypothesis import settings

#: How long one example takes says nothing here.
calm = settings(deadline=None)
