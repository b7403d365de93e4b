"""agi://host/consent: has this caller agreed to texts?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ari_app.agi.callers import Callers
from ari_app.agi.protocol import AgiRequest


@dataclass(frozen=True, slots=True)
class Consent:
    """SEGUE_CONSENT: `granted`, `denied` or `unknown` (never asked, or no number)."""

    callers: Callers
    deadline: float = 1.5
    unknown: Mapping[str, str] = field(default_factory=lambda: {"SEGUE_CONSENT": "unknown"})

    async def answer(self, request: AgiRequest) -> Mapping[str, str]:
        """See the protocol `Use`."""
        number = self.callers.number(request)
        agrees = await self.callers.agrees(number) if number else None
        return {"SEGUE_CONSENT": {True: "granted", False: "denied", None: "unknown"}[agrees]}
