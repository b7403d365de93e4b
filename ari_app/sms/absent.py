"""No carrier: texts are not offered, and those promised before wait."""

from __future__ import annotations

from ari_app.errors import SmsRefused
from ari_app.ports import Accepted, OutgoingText


class NoCarrier:
    """Implements the port `SmsGateway` where no carrier is set."""

    up = False

    async def send(self, text: OutgoingText) -> Accepted:
        """Never now."""
        raise SmsRefused("no carrier is set", transient=True)
