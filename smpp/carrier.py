"""From a carrier's profile and our account there to the pool of its binds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from smpp import tls
from smpp.binds import Event, Place, Watch
from smpp.constants import Command
from smpp.esme import Backoff, BatchHandler, Esme, Handler, Limits
from smpp.pool import Pool
from smpp.profile import Profile
from smpp.profile_keys import ProfileError
from smpp.profile_kinds import Host
from smpp.profile_sections import Mode

_MODES = {
    Mode.TRX: (Command.BIND_TRANSCEIVER,),
    Mode.TX_RX: (Command.BIND_TRANSMITTER, Command.BIND_RECEIVER),
    Mode.TX: (Command.BIND_TRANSMITTER,),
    Mode.RX: (Command.BIND_RECEIVER,),
}
_NAMES = {
    Command.BIND_TRANSCEIVER: "trx",
    Command.BIND_TRANSMITTER: "tx",
    Command.BIND_RECEIVER: "rx",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who we are at a carrier; the password is not in its repr."""

    system_id: str
    password: str = field(repr=False)


def limits(profile: Profile) -> Limits:
    """What the profile demands of each bind."""
    session = profile.session
    return Limits(
        window=session.window,
        enquire_link_interval=session.enquire_link_interval,
        response_timeout=session.response_timeout,
        connect_timeout=session.connect_timeout,
        handler_timeout=session.handler_timeout,
        drain_timeout=session.drain_timeout,
        rate=session.rate or None,
        throttle_patience=session.throttle_patience,
        throttled=profile.statuses.throttled,
    )


def backoff(profile: Profile) -> Backoff:
    """The pauses that the profile demands before the next bind."""
    reconnect = profile.reconnect
    return Backoff(
        first=reconnect.first,
        longest=reconnect.longest,
        held=reconnect.held,
        refused=reconnect.refused or None,
        healthy_after=reconnect.healthy_after,
    )


def pool(
    profile: Profile,
    account: Account,
    *,
    handler: Handler | None = None,
    batch_handler: BatchHandler | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    chance: Callable[[], float] = random.random,
) -> Pool:
    """The binds at every host of the profile; nothing is connected before `start`.

    One of `handler` and `batch_handler` stores what comes over any of the binds, as in Esme.
    Every bind is called by its host, kind and number, such as `smsc.example:2775 tx 1`.
    ProfileError if there is no host or a file of TLS cannot be used; LocalProtocolError if no
    bind can carry the account.
    """
    if not profile.hosts:
        raise ProfileError(f"{profile.name} has no hosts; allowed: at least one")
    context = tls.context(profile.tls)

    def make(host: Host, mode: Command, watch: Watch) -> Esme:
        return Esme(
            host.name,
            host.port,
            system_id=account.system_id,
            password=account.password,
            system_type=profile.bind.system_type,
            address_range=profile.bind.address_range,
            mode=mode,
            handler=handler,
            batch_handler=batch_handler,
            limits=limits(profile),
            backoff=backoff(profile),
            tls=context,
            server_hostname=profile.tls.server_name or None,
            on_up=watch.up,
            on_down=watch.down,
            on_alarm=watch.alarm,
            chance=chance,
        )

    return Pool(
        (
            Place(name=name, make=partial(make, host, mode), submits=mode in _SUBMIT)
            for name, host, mode in _places(profile)
        ),
        # Enough for the next answers to find something to write, and little to move when it dies.
        ahead=2 * profile.session.window,
        drain_timeout=profile.session.drain_timeout,
        on_event=on_event,
    )


_SUBMIT = (Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER)


def _places(profile: Profile) -> Iterator[tuple[str, Host, Command]]:
    for host in profile.hosts:
        for number in range(1, profile.bind.per_host + 1):
            for mode in _MODES[profile.bind.mode]:
                yield f"{host} {_NAMES[mode]} {number}", host, mode
