"""Who carries our texts, by the settings: one carrier, a profile, several; one sentence if not."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ari_app.bootstrap.texting import Contract, bound, carriers, contracts
from ari_app.config import Carrier, Settings, Sms
from ari_app.errors import CarrierUnavailable, SettingsError
from ari_app.sms.carriers import Carriers
from smpp.profile_kinds import Host
from smpp.routing import NoRoute, Offer, Routing
from tests.support.clock import FakeClock
from tests.support.fake_carriers import NamedCarrier
from tests.support.meter import RecordingMeter
from tests.support.store import sqlite_store

NORTH = 'name = "north"\nhosts = ["north.example:2776"]\n[session]\nwindow = 33\n'
SOUTH = 'name = "south"\nhosts = ["south.example:2775"]\n'


class Site:
    """Files of one site."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = self.file("secret", "pass\n")
        self.password.chmod(0o600)

    def file(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.write_text(content)
        return path

    def one(self, **keys: Any) -> list[Contract]:
        found = {"password_file": self.password, "source": "36200", "system_id": "acme"}
        return contracts(Settings(sms=Sms(**{**found, **keys})))

    def carrier(self, content: str, **keys: Any) -> Carrier:
        path = self.file(f"{len(list(self.folder.iterdir()))}.toml", content)
        found = {"profile": path, "system_id": "acme", "password_file": self.password}
        return Carrier(**{**found, **keys})

    def several(self, *found: Carrier, **keys: Any) -> list[Contract]:
        return contracts(Settings(sms=Sms(carriers=found, **{"source": "36200", **keys})))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return Site(tmp_path)


# -- what is found ----------------------------------------------------------------------------


def test_a_site_that_sets_nothing_has_no_carrier() -> None:
    assert contracts(Settings()) == []


def test_a_carrier_may_be_a_host_and_a_password_only(site: Site) -> None:
    (found,) = site.one(host="smsc.example")
    assert (found.profile.name, found.profile.hosts) == ("carrier", (Host("smsc.example", 2775),))
    assert (found.account.system_id, found.account.password) == ("acme", "pass")
    assert found.source == "36200"
    assert [(o.carrier, o.prefix, o.cost) for o in found.offers] == [("carrier", "", Decimal(0))]
    assert found.profile.session.window == 10


def test_the_flat_keys_say_what_a_host_alone_does_not(site: Site) -> None:
    (found,) = site.one(host="::1", port=2776, carrier="main", system_type="VMA", window=5)
    assert str(found.profile.hosts[0]) == "[::1]:2776"
    assert (found.profile.name, found.profile.bind.system_type) == ("main", "VMA")
    assert found.profile.session.window == 5


def test_a_profile_says_the_rest_and_keys_that_are_set_go_before_it(site: Site) -> None:
    profile = site.file("north.toml", NORTH)
    (as_it_is,) = site.one(profile=profile)
    assert (as_it_is.profile.name, as_it_is.profile.session.window) == ("north", 33)
    assert as_it_is.profile.hosts == (Host("north.example", 2776),)
    (changed,) = site.one(profile=profile, host="test.example", window=2, system_type="X")
    assert changed.profile.hosts == (Host("test.example", 2775),)
    assert (changed.profile.session.window, changed.profile.bind.system_type) == (2, "X")


def test_several_carriers_have_their_accounts_prices_and_senders(site: Site) -> None:
    costs = {"+33": Decimal("0.05"), "": Decimal("0.09")}
    north, south = site.several(
        site.carrier(NORTH, costs=costs, weight=3, source="Segue"), site.carrier(SOUTH)
    )
    assert (north.profile.name, north.source) == ("north", "Segue")
    assert [(o.carrier, o.prefix, o.cost, o.weight) for o in north.offers] == [
        ("north", "+33", Decimal("0.05"), 3),
        ("north", "", Decimal("0.09"), 3),
    ]
    assert (south.profile.name, south.source) == ("south", "36200")
    assert [(o.prefix, o.cost, o.weight) for o in south.offers] == [("", Decimal(0), 1)]


async def test_the_contracts_become_binds_and_routes(site: Site, tmp_path: Path) -> None:
    found = site.several(
        site.carrier(NORTH, costs={"+33": Decimal("0.05")}),
        site.carrier(SOUTH, costs={"+49": Decimal("0.05")}),
    )
    store = sqlite_store(tmp_path / "segue.db")

    class Nobody:
        async def receipt(self, receipt: object) -> None: ...

        async def text(self, text: object) -> None: ...

    made = carriers(
        found,
        inbox=Nobody(),
        arrivals=store,
        clock=FakeClock(),
        meter=RecordingMeter(),
        secret=b"key",
        on_alarm=lambda error: None,
    )
    assert made.names == ("north", "south")
    assert not made.up
    with pytest.raises(NoRoute) as away:
        made.route("+33123456789")
    assert not away.value.permanent
    with pytest.raises(NoRoute) as nobody:
        made.route("+442071234567")
    assert nobody.value.permanent
    await made.aclose()


# -- what is wrong ----------------------------------------------------------------------------


def sentence(error: SettingsError) -> str:
    assert "\n" not in str(error)
    assert "pass" not in str(error).replace("password", "")
    return str(error)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"password_file": None}, "the bind password is not set: write it to a file"),
        ({"password_file": Path("/nowhere/secret")}, "sms.password_file: cannot read"),
        ({"source": ""}, "[sms] source: '' is neither a number"),
        ({"source": "a name too long"}, "[sms] source: 'a name too long' is neither a number"),
        ({"carrier": "my carrier"}, "[sms] carrier: name is 'my carrier'; allowed: 1 to 64"),
        ({"host": "smsc.example:2775"}, "[sms] host: 'smsc.example:2775' is not the name or"),
        ({"host": "not a host"}, "[sms] host: 'not a host' is not the name or"),
        ({"profile": Path("/nowhere/north.toml")}, "[sms] profile: /nowhere/north.toml: No such"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_setting_of_one_carrier_is_one_sentence(
    site: Site, keys: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError) as error:
        site.one(**{"host": "smsc.example", **keys})
    assert sentence(error.value).startswith(says)


def test_a_password_that_no_bind_can_carry_is_not_taken_for_a_wrong_sender(site: Site) -> None:
    site.password.write_text("longer than 8")
    with pytest.raises(SettingsError) as error:
        site.one(host="smsc.example")
    assert sentence(error.value) == "[sms] carrier: password has at most 8 characters"


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ('name = "north"\n', "[sms] the profile north has no hosts"),
        ("hosts = []", "[sms] profile: "),
        ("name = ", "[sms] profile: "),
        (f'{NORTH}[tls]\non = true\nca_file = "none.pem"', "[sms] north: tls.ca_file "),
    ],
)
def test_a_profile_that_cannot_be_used_is_one_sentence(site: Site, profile: str, says: str) -> None:
    with pytest.raises(SettingsError) as error:
        site.one(profile=site.file("north.toml", profile))
    assert sentence(error.value).startswith(says)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"costs": {"33": 1}}, "[[sms.carriers]] costs: the prefix '33' of north is not a plus"),
        ({"costs": {"": -1}}, "[[sms.carriers]] costs: the cost -1 of north is not 0 or more"),
        ({"costs": {}}, "[[sms.carriers]] costs of north is empty"),
        ({"source": "a name too long"}, "[[sms.carriers]] source: 'a name too long' is neither"),
        ({"password_file": Path("/nowhere/s")}, "sms.carriers.password_file: cannot read"),
        ({"profile": Path("/nowhere/n.toml")}, "[[sms.carriers]] profile: /nowhere/n.toml: No"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_setting_of_several_carriers_is_one_sentence(
    site: Site, keys: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError) as error:
        site.several(site.carrier(NORTH, **keys), site.carrier(SOUTH))
    assert sentence(error.value).startswith(says)


def test_two_carriers_of_one_name_are_one_too_many(site: Site) -> None:
    with pytest.raises(SettingsError) as error:
        site.several(site.carrier(NORTH), site.carrier(NORTH))
    assert sentence(error.value).startswith("[sms] two carriers are called 'north'")


@pytest.mark.parametrize("keys", [{"host": "smsc.example"}, {"profile": Path("north.toml")}])
def test_one_carrier_and_several_exclude_each_other(site: Site, keys: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as error:
        site.several(site.carrier(NORTH), **keys)
    assert sentence(error.value) == "[sms] has carriers: leave out its host and profile"


# -- the first binds --------------------------------------------------------------------------

WRONG = CarrierUnavailable("the SMSC of north refuses the bind: ESME_RINVPASWD")


class Start:
    """A service that waits for its carriers."""

    def __init__(self, *names: str) -> None:
        self.found = [NamedCarrier(name, up=False) for name in names]
        offers = [Offer(carrier=name) for name in names]
        gateways = [one.as_gateway for one in self.found]
        self.carriers = Carriers(gateways, Routing(offers), FakeClock())
        self.refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def bound(self, patience: float = 60.0) -> bool:
        async with asyncio.timeout(10.0):
            return await bound(self.carriers, self.refused, patience)


async def test_the_start_goes_on_when_a_carrier_is_up() -> None:
    start = Start("north")
    start.found[0].bind()
    assert await start.bound()


async def test_a_carrier_that_is_away_is_waited_for_meanwhile() -> None:
    assert not await Start("north").bound(patience=0.01)


async def test_a_carrier_that_says_no_ends_the_start_at_once() -> None:
    start = Start("north")
    start.refused.set_exception(WRONG)
    with pytest.raises(CarrierUnavailable, match="ESME_RINVPASWD: compare .* password_file"):
        await start.bound()


async def test_one_of_several_carriers_that_says_no_does_not_end_the_start() -> None:
    start = Start("north", "south")
    start.refused.set_exception(WRONG)
    asyncio.get_running_loop().call_soon(start.found[1].bind)
    assert await start.bound()


async def test_when_one_says_no_and_the_others_are_away_the_start_ends() -> None:
    start = Start("north", "south")
    start.refused.set_exception(WRONG)
    with pytest.raises(CarrierUnavailable, match="ESME_RINVPASWD"):
        await start.bound(patience=0.01)


async def test_a_host_that_says_no_beside_one_that_is_up_does_not_end_the_start() -> None:
    start = Start("north")
    start.refused.set_exception(WRONG)
    start.found[0].up = True  # and its waiter has not run yet
    asyncio.get_running_loop().call_later(0.01, start.found[0].bound.set)
    assert await start.bound()
