"""An SMSC made of node-smpp 0.5.1, by its own parser; the switches are in `smsc_node.js`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.support.foreign import npm
from tests.support.foreign.smsc import ForeignSmsc

PACKAGE = ("smpp", "0.5.1")
_PROGRAM = Path(__file__).with_name("smsc_node.js")


class NodeSmsc(ForeignSmsc):
    """Start it with `async with`; ProgramMissing if there is no Node.js or no package."""

    kind = "node"

    def _command(self, conduct: str) -> tuple[Sequence[str | Path], dict[str, str]]:
        modules = npm.installed(*PACKAGE) / "node_modules"
        return (npm.node(), _PROGRAM, conduct), {"NODE_PATH": str(modules)}
