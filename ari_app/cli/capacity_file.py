"""The capacity file: how many calls a machine was measured to hold; [calls] capacity names it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Capacity:
    """As it was measured; admission leaves its headroom free (see `cap_of`)."""

    calls: int  # held at once, with no packet lost by us
    cores: int  # of the machine it was measured on
    model: str  # name of the speech model's folder
    date: str  # ISO 8601, UTC
    headroom: float  # of the settings at that time

    def text(self) -> str:
        """What the file holds."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def write(self, path: Path) -> None:
        """Whole or not at all; OSError."""
        part = path.with_suffix(path.suffix + ".part")
        part.write_text(self.text(), encoding="utf-8")
        part.rename(path)
