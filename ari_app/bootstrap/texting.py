"""Who carries our texts: the binds and routes that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ari_app.config import Carrier, Settings, Sms, read_secret
from ari_app.errors import CarrierUnavailable, SettingsError
from ari_app.ports import Clock, Meter, SmsArrivals, SmsInbox
from ari_app.sms.carriers import Carriers
from ari_app.sms.gateway import SmppGateway
from smpp.carrier import Account
from smpp.errors import LocalProtocolError
from smpp.profile import Profile
from smpp.profile_file import load
from smpp.profile_keys import ProfileError
from smpp.profile_kinds import Host
from smpp.profile_sections import Binds, Session
from smpp.routing import Offer, Routing


@dataclass(frozen=True, slots=True)
class Contract:
    """A carrier as the settings have it."""

    profile: Profile
    account: Account
    source: str
    offers: tuple[Offer, ...]


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
        return found
    return list(_one(sms))


def carriers(
    settings: Settings,
    found: list[Contract],
    *,
    inbox: SmsInbox,
    arrivals: SmsArrivals,
    clock: Clock,
    meter: Meter,
    secret: bytes,
    on_alarm: Callable[[CarrierUnavailable], None],
) -> Carriers:
    """Their binds, not connected yet, and the routing between them. SettingsError."""
    gateways = []
    for contract in found:
        try:
            gateway = SmppGateway(
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
        except LocalProtocolError as error:
            raise SettingsError(f"[sms] source: {contract.source!r} is {error}") from None
        except ProfileError as error:
            raise SettingsError(f"[sms] {error}") from None
        gateways.append(gateway)
    offers = [offer for contract in found for offer in contract.offers]
    return Carriers(gateways, Routing(offers), clock)


def _one(sms: Sms) -> Iterator[Contract]:
    if not sms.host and sms.profile is None:
        return
    try:
        profile = _load(sms) if sms.profile else Profile(name=sms.carrier)
        if sms.host:
            profile = replace(profile, hosts=(Host(sms.host, sms.port),))
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
    profile = _load(carrier)
    password = read_secret(carrier.password_file, "", "sms.carriers password_file")
    assert password is not None  # a file that is named is read, or an error
    try:
        offers = tuple(
            Offer(carrier=profile.name, prefix=prefix, cost=cost, weight=carrier.weight)
            for prefix, cost in carrier.costs.items()
        )
    except LocalProtocolError as error:
        raise SettingsError(f"[[sms.carriers]] costs: {error}") from None
    account = Account(system_id=carrier.system_id, password=password)
    return Contract(profile, account, carrier.source or sms.source, offers)


def _load(named: Sms | Carrier) -> Profile:
    assert named.profile is not None
    try:
        return load(named.profile)
    except ProfileError as error:
        raise SettingsError(f"[sms] profile: {error}") from None
