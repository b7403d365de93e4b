"""A gateway that takes one text at a time, as one that takes many."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ari_app.errors import SmsRefused, SmsUnknown
from ari_app.ports import (
    Accepted,
    BatchGateway,
    Lost,
    Outcome,
    Outcomes,
    OutgoingText,
    Refused,
    SmsGateway,
)

_MOST = 50


class OneByOne:
    """Implements `BatchGateway` over `SmsGateway`: a task for each text, at most 50 at once."""

    def __init__(self, gateway: SmsGateway) -> None:
        self._gateway = gateway
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """See the port."""
        return _MOST - len(self._busy) if self._gateway.up else 0

    def send_many(self, texts: Sequence[OutgoingText], told: Outcomes) -> None:
        """See the port."""
        for text in texts:
            task = asyncio.create_task(self._send(text, told), name=f"sms {text.message}")
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

    async def _send(self, text: OutgoingText, told: Outcomes) -> None:
        fate: Accepted | Refused | Lost
        try:
            fate = await self._gateway.send(text)
        except SmsRefused as error:
            fate = Refused(str(error), error.transient)
        except SmsUnknown as error:
            fate = Lost(str(error))
        except Exception as error:  # noqa: BLE001  a bug, and nobody knows how far it came
            fate = Lost(f"the gateway failed: {type(error).__name__}")
        told([Outcome(text.message, fate)])


def in_batches(gateway: SmsGateway | BatchGateway) -> BatchGateway:
    """The gateway itself if it takes many at once."""
    return gateway if isinstance(gateway, BatchGateway) else OneByOne(gateway)
