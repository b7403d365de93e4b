"""
The SMSC in the box: accepts binds and texts, sends receipts and texts, misbehaves on demand.

For the demo, the tests and rehearsals. It stores nothing on disk; the texts it takes are visible
in `accepted` and to watchers, never in a log.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random

from smpp.address import Address, LongAddress
from smpp.constants import DataCoding, Status
from smpp.errors import LocalProtocolError
from smpp.pdu import AlertNotification, Bind, DeliverSm, SubmitSm
from smpp.segmentation import PLAIN, TextStyle
from smpp.simulator.accepting import Accepting
from smpp.simulator.connection import About, Asking, Connection
from smpp.simulator.delivering import Delivering
from smpp.simulator.faults import Faults, change
from smpp.simulator.gate import Gate
from smpp.simulator.notices import (
    AcceptedMessage,
    BindAnswered,
    ConnectionEnded,
    FaultsChanged,
    Told,
)
from smpp.simulator.originating import Originating
from smpp.simulator.watching import Watch

_CONNECTIONS = 1_000
_BIND_PATIENCE = 30.0
_LARGEST_FLOOD = 100_000


class Smsc:
    """An SMSC on a port of this machine."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, str] | None = None,
        receipt_delay: float = 0.0,
        retry_delay: float = 1.0,
        answer_timeout: float = 10.0,
        faults: Faults | None = None,
        system_id: str = "segue-smsc",
        style: TextStyle = PLAIN,
        seed: int | None = None,
    ) -> None:
        """`accounts` are the passwords by system_id; None lets everybody bind.

        `style` is how texts are read and written, unless one from a handset says otherwise.
        What happens by chance happens again with the same `seed`.
        """
        self.system_id = system_id
        self.faults = faults or Faults()
        self.connections: set[Connection] = set()
        #: How many binds were asked for.
        self.binds = 0
        self._style = style
        self._servers: list[asyncio.Server] = []
        self._listeners: dict[Callable[[Told], None], None] = {}
        self._connections_made = 0
        chance = Random(seed)
        self._gate = Gate(accounts, chance)
        self._delivering = Delivering(self.connections, retry_delay, answer_timeout)
        self._accepting = Accepting(self._gate, self._delivering, style, chance, self._tell)
        self._accepting.receipt_delay = receipt_delay
        self._originating = Originating(self._delivering, self._tell)

    # -- life ---------------------------------------------------------------------------------

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
    ) -> None:
        """Listen; port 0 takes a free one. May be called again, for another address."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(self._connection, host, port, ssl=tls))

    @property
    def port(self) -> int:
        """Where it listens, at the address it was started with first."""
        assert self._servers, "start it first"
        return int(self._servers[0].sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        """Close every connection and every port."""
        for server in self._servers:
            server.close()
        self.drop()
        await self._accepting.aclose()
        for server in self._servers:
            await server.wait_closed()

    def _connection(self) -> Connection:
        self._connections_made += 1
        return Connection(self, self._connections_made, _BIND_PATIENCE)

    # -- what was seen ------------------------------------------------------------------------

    @property
    def accepted(self) -> list[AcceptedMessage]:
        """The texts that were taken, the newest last; 10,000 at least are kept."""
        return self._accepting.accepted

    @property
    def submits(self) -> list[SubmitSm]:
        """The submit_sm as they came, refused ones too; likewise."""
        return self._accepting.submits

    @property
    def counts(self) -> Counter[str]:
        """How often what has happened since the start."""
        return self._accepting.counts

    @property
    def receipt_delay(self) -> float:
        """Seconds before a receipt, unless `faults.receipt_delay` says otherwise."""
        return self._accepting.receipt_delay

    @receipt_delay.setter
    def receipt_delay(self, seconds: float) -> None:
        self._accepting.receipt_delay = seconds

    async def wait_accepted(self, count: int, timeout: float) -> list[AcceptedMessage]:
        """Return when so many texts are in `accepted`; TimeoutError otherwise."""
        async with asyncio.timeout(timeout):
            await self._accepting.wait(count)
        return self.accepted

    def watch(self, *, everything: bool = False) -> Watch:
        """What happens from now on; give the queue back to `unwatch`.

        Texts and receipts, or `everything`: binds, refusals and switches too.
        """
        watch = Watch(everything=everything)
        self.listen(watch.put)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Stop telling this queue."""
        self.unlisten(watch.put)

    def listen(self, listener: Callable[[Told], None]) -> None:
        """Call it with everything that happens, at once; it must neither raise nor wait."""
        self._listeners[listener] = None

    def unlisten(self, listener: Callable[[Told], None]) -> None:
        """Call it no longer."""
        self._listeners.pop(listener, None)

    def _tell(self, told: Told) -> None:
        for listener in tuple(self._listeners):
            listener(told)

    # -- handsets -----------------------------------------------------------------------------

    async def send_mo(
        self,
        sender: str,
        recipient: str,
        text: str,
        *,
        style: TextStyle | None = None,
        system_id: str | None = None,
        timeout: float = 60.0,
        attempts: int = 100,
    ) -> int:
        """A text from a handset, in parts if it is long; the last status of deliver_sm_resp.

        Waits for a bind (of `system_id`, or any); repeats what was answered ESME_RX_T_APPN or not
        at all. NotSent if that did not end in time, LocalProtocolError for what is no address.
        """
        return await self._originating.text(
            sender,
            recipient,
            text,
            style or self._style,
            order=self.faults.mo_parts,
            system_id=system_id,
            timeout=timeout,
            attempts=attempts,
        )

    async def send_mo_octets(
        self,
        sender: str,
        recipient: str,
        octets: bytes,
        *,
        data_coding: int = DataCoding.OCTETS,
        style: TextStyle | None = None,
        timeout: float = 60.0,
        attempts: int = 100,
    ) -> int:
        """What is no text, such as a picture, from a handset; otherwise as `send_mo`."""
        return await self._originating.octets(
            sender,
            recipient,
            octets,
            style or self._style,
            data_coding=data_coding,
            timeout=timeout,
            attempts=attempts,
        )

    def flood(self, count: int, sender: str, recipient: str) -> int:
        """So many texts at once to every ESME that receives, waiting for nothing; to how many.

        LocalProtocolError for more than 100,000, or what is no address.
        """
        if not 0 < count <= _LARGEST_FLOOD:
            raise LocalProtocolError(f"a flood is 1 to {_LARGEST_FLOOD} texts")
        source, destination = Address.of(sender), Address.of(recipient)
        pdus = [
            DeliverSm(source=source, destination=destination, short_message=b"%d" % number)
            for number in range(1, count + 1)
        ]
        receivers = [connection for connection in self.connections if connection.usable]
        for connection in receivers:
            connection.flood(pdus)
        return len(receivers)

    def alert(self, handset: str, esme: str) -> None:
        """alert_notification to every ESME that receives: the handset is there again."""
        pdu = AlertNotification(source=_long(handset), esme=_long(esme))
        for connection in self.connections:
            if connection.usable:
                connection.alert(pdu)

    # -- on demand ----------------------------------------------------------------------------

    def change_faults(self, changes: Mapping[str, object]) -> None:
        """Misbehave from now on, or behave again; FaultError if one of them cannot be."""
        change(self.faults, changes)
        self._tell(FaultsChanged(dict(changes)))

    def drop(self) -> None:
        """Close every connection without a word."""
        for connection in tuple(self.connections):
            if connection.transport is not None:
                connection.transport.abort()

    def send_raw(self, octets: bytes) -> None:
        """Write these octets, garbage or not, to every bound ESME."""
        for connection in self._bound():
            connection.write(octets)

    def enquire(self) -> None:
        """Send enquire_link to every ESME."""
        for connection in self.connections:
            connection.enquire()

    def unbind(self) -> None:
        """Ask every ESME to end its session."""
        for connection in self.connections:
            connection.unbind()

    def strange(self) -> None:
        """Commands that nobody knows, and a generic_nack of nothing, to every bound ESME."""
        for connection in self._bound():
            connection.strange()

    def cut(self) -> None:
        """Half a PDU to every bound ESME, and then silence on that connection for ever."""
        for connection in self._bound():
            connection.cut()

    async def outbind(
        self,
        host: str,
        port: int,
        system_id: str = "segue-smsc",
        password: str = "",
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Call an ESME and ask it to bind; OSError if nobody listens there."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(self._connection, host, port, ssl=tls)
        connection.outbind(system_id, password)

    def _bound(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.mode is not None]

    # -- what connections tell ----------------------------------------------------------------

    def judge(self, pdu: Bind) -> int:
        """The status of a bind."""
        self.binds += 1
        self.counts["Bind"] += 1
        standing = sum(one.system_id == pdu.system_id for one in self._bound())
        return self._gate.bind(pdu, self.faults, standing)

    def judged(self, connection: Connection, pdu: Bind, status: int) -> None:
        """A bind is answered: what waits for one may go."""
        self._tell(BindAnswered(connection.number, pdu.system_id, pdu.mode.name.lower(), status))
        if status == Status.ESME_ROK:
            self.ready()

    def ready(self) -> None:
        """What waits for a bind may go."""
        self._delivering.ready()

    def opened(self, connection: Connection) -> bool:
        """Whether it is not one too many."""
        if len(self.connections) >= _CONNECTIONS:
            return False
        self.connections.add(connection)
        return True

    def ended(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self.connections:
            self.connections.discard(connection)
            self._tell(ConnectionEnded(connection.number, connection.system_id))

    def count(self, what: str) -> None:
        """One more of these."""
        self.counts[what] += 1

    def submitted(self, connection: Connection, pdu: Asking) -> None:
        """A text has come."""
        self._accepting.submitted(connection, pdu, self.faults)

    def asked(self, connection: Connection, pdu: About) -> None:
        """Something about a message that was taken."""
        self._accepting.asked(connection, pdu, self.faults)


def _long(written: str) -> LongAddress:
    address = Address.of(written)
    return LongAddress(address.ton, address.npi, address.digits)
