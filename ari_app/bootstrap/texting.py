"""Who carries our texts: the binds and routes that the settings name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ari_app.bootstrap.joining import Worker
from ari_app.bootstrap.life import Life
from ari_app.config import Carrier, Settings, Sms, read_secret
from ari_app.errors import CarrierUnavailable, SettingsError
from ari_app.jobs.leases import Leaseholder
from ari_app.ports import Clock, Fence, Meter, SmsArrivals, SmsInbox
from ari_app.sms.absent import NoCarrier
from ari_app.sms.bind_leases import BindLeases
from ari_app.sms.carriers import Carriers
from ari_app.sms.gateway import SmppGateway
from ari_app.store.sqlite import SqliteEngine
from smpp import tls
from smpp.carrier import Account
from smpp.errors import LocalProtocolError
from smpp.pdu import Bind
from smpp.profile import Profile
from smpp.profile_file import load
from smpp.profile_keys import ProfileError
from smpp.profile_kinds import Host
from smpp.profile_sections import Binds, Session
from smpp.routing import Offer, Routing

logger = logging.getLogger(__name__)

_ONE = "[sms]"
_SEVERAL = "[[sms.carriers]]"
_BIND_PATIENCE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Contract:
    """A carrier as the settings have it."""

    profile: Profile
    account: Account
    source: str
    offers: tuple[Offer, ...]


class Texting:
    """The carriers, as the rest of a worker sees them."""

    def __init__(self, gateway: Carriers | NoCarrier, binds: BindLeases | None = None) -> None:
        """`binds` if several workers share the database: who makes them is asked of the leases."""
        self.gateway = gateway
        self.inquiries = gateway if isinstance(gateway, Carriers) else None
        self._binds = binds

    @property
    def up(self) -> bool:
        """Whether texts can be sent now, by whichever worker."""
        return self.gateway.up if self._binds is None else self._binds.up

    def only(
        self, run: Callable[[Fence], Awaitable[None]], leases: Leaseholder
    ) -> Callable[[], Awaitable[None]]:
        """Does nothing where no carrier can be asked, because another worker has the binds."""
        return leases.only("timers", run) if self._binds is None else self._binds.only(run)


def contracts(settings: Settings) -> list[Contract]:
    """Every carrier; none if none is set. SettingsError names what cannot be used."""
    sms = settings.sms
    if sms.carriers:
        if sms.host or sms.profile:
            raise SettingsError("[sms] has carriers: leave out its host and profile")
        found = [_several(sms, carrier) for carrier in sms.carriers]
        names = [contract.profile.name for contract in found]
        for name in names:
            if names.count(name) > 1:
                raise SettingsError(f"[sms] two carriers are called {name!r}: change `name` of one")
    else:
        found = list(_one(sms))
    for contract in found:
        _check(contract, _SEVERAL if sms.carriers else _ONE)
    return found


async def texting(life: Life, worker: Worker, inbox: SmsInbox, key: bytes) -> Texting:
    """Every carrier that is set, bound to unless another worker is; CarrierUnavailable."""
    store, leases = worker.store, worker.leases
    found = contracts(life.settings)
    if not found:
        logger.warning("no carrier is set ([sms] host): texts are not offered")
        return Texting(NoCarrier())
    refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def alarm(error: CarrierUnavailable) -> None:
        logger.error("%s: put it right, and restart the service", error)
        if not refused.done():
            refused.set_exception(error)

    gateway = carriers(
        found,
        inbox=inbox,
        arrivals=store,
        clock=life.clock,
        meter=life.meter,
        secret=key,
        on_alarm=alarm,
    )
    life.at_end(gateway.aclose)
    binds = None
    if isinstance(store.engine, SqliteEngine):
        gateway.start()  # there is no other worker
    else:
        binds = BindLeases(gateway.gateways, leases, store.held)
        await binds.run_once()
        worker.ticker.every(life.settings.store.lease / 8, "binds", binds.run_once)
    if binds is not None and not binds.ours:
        logger.warning("another worker has the binds: this one stands by")
        refused.cancel()
    elif not await bound(gateway, refused, _BIND_PATIENCE):
        logger.warning("the carrier cannot be reached; texts are not offered until it can be")
    return Texting(gateway, binds)


def _check(contract: Contract, section: str) -> None:
    """SettingsError for what would otherwise be found out at the first bind."""
    profile, account = contract.profile, contract.account
    if not profile.hosts:
        raise SettingsError(f"{section} the profile {profile.name} has no hosts: name one")
    try:
        profile.source(contract.source)
    except LocalProtocolError as error:
        raise SettingsError(f"{section} source: {contract.source!r} is {error}") from None
    try:
        Bind(
            system_id=account.system_id,
            password=account.password,
            system_type=profile.bind.system_type,
        )
        tls.context(profile.tls)
    except (LocalProtocolError, ProfileError) as error:
        raise SettingsError(f"{section} {profile.name}: {error}") from None


def carriers(
    found: list[Contract],
    *,
    inbox: SmsInbox,
    arrivals: SmsArrivals,
    clock: Clock,
    meter: Meter,
    secret: bytes,
    on_alarm: Callable[[CarrierUnavailable], None],
) -> Carriers:
    """The binds of what `contracts` has found, not connected yet, and the routing between them."""
    gateways = [
        SmppGateway(
            contract.profile,
            contract.account,
            source=contract.source,
            inbox=inbox,
            arrivals=arrivals,
            clock=clock,
            meter=meter,
            secret=secret,
            on_alarm=on_alarm,
        )
        for contract in found
    ]
    offers = [offer for contract in found for offer in contract.offers]
    return Carriers(gateways, Routing(offers), clock)


async def bound(gateway: Carriers, refused: asyncio.Future[None], patience: float) -> bool:
    """Wait for binds, at most so many seconds; whether a carrier is up.

    A carrier that says no is an error now, one that is away is waited for meanwhile. `refused`
    has the alarm as its exception. CarrierUnavailable if it came and no other carrier is up.
    """
    up = asyncio.create_task(gateway.wait_up(patience))
    try:
        # Of several carriers the one that says no does not speak for the others.
        first = {up} if len(gateway.names) > 1 else {up, refused}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        no = refused.exception() if refused.done() else None
        if no is not None and not gateway.up:
            raise CarrierUnavailable(
                f"{no}: compare [sms] system_id and password_file with what the carrier gave you"
            )
        await asyncio.wait({up})
    finally:
        up.cancel()
        refused.cancel()
        await asyncio.gather(up, return_exceptions=True)
    return gateway.up


def _one(sms: Sms) -> Iterator[Contract]:
    if not sms.host and sms.profile is None:
        return
    profile = _load(sms.profile, _ONE) if sms.profile else _named(sms.carrier)
    if sms.host:
        try:
            profile = replace(profile, hosts=(Host(sms.host, sms.port),))
        except ProfileError:
            raise SettingsError(
                f"[sms] host: {sms.host!r} is not the name or address of a host, without port"
            ) from None
    try:
        if sms.system_type:
            binds: Binds = replace(profile.bind, system_type=sms.system_type)
            profile = replace(profile, bind=binds)
        if sms.profile is None or "window" in sms.model_fields_set:
            session: Session = replace(profile.session, window=sms.window)
            profile = replace(profile, session=session)
    except ProfileError as error:
        raise SettingsError(f"[sms] {error}") from None
    password = read_secret(sms.password_file, "smpp_password", "sms.password_file")
    if password is None:
        raise SettingsError(
            "the bind password is not set: write it to a file and name that in [sms] password_file"
        )
    account = Account(system_id=sms.system_id, password=password)
    yield Contract(profile, account, sms.source, (Offer(carrier=profile.name),))


def _several(sms: Sms, carrier: Carrier) -> Contract:
    profile = _load(carrier.profile, _SEVERAL)
    password = read_secret(carrier.password_file, "", "sms.carriers.password_file")
    assert password is not None  # a file that is named is read, or an error
    if not carrier.costs:
        raise SettingsError(
            f'{_SEVERAL} costs of {profile.name} is empty: leave it out, or name a prefix or ""'
        )
    try:
        offers = tuple(
            Offer(carrier=profile.name, prefix=prefix, cost=cost, weight=carrier.weight)
            for prefix, cost in carrier.costs.items()
        )
    except LocalProtocolError as error:
        raise SettingsError(f"{_SEVERAL} costs: {error}") from None
    account = Account(system_id=carrier.system_id, password=password)
    return Contract(profile, account, carrier.source or sms.source, offers)


def _load(path: Path, section: str) -> Profile:
    try:
        return load(path)
    except ProfileError as error:
        raise SettingsError(f"{section} profile: {error}") from None


def _named(carrier: str) -> Profile:
    try:
        return Profile(name=carrier)
    except ProfileError as error:
        raise SettingsError(f"[sms] carrier: {error}") from None
