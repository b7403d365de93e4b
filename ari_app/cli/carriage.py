"""`segue sms preview|route`: what a text costs, and who would carry it."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from ari_app.bootstrap.texting import contracts
from ari_app.config import load
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError
from smpp.encoding import preview as previewed
from smpp.errors import LocalProtocolError
from smpp.routing import Health, NoRoute, Routing


def preview(config: Path | None, text: str, carrier: str, as_json: bool) -> None:
    """Print the encoding and the segments of a text, as this carrier gets it."""
    settings = load(config)
    found = {contract.profile.name: contract.profile for contract in contracts(settings)}
    if carrier and carrier not in found:
        raise SettingsError(
            f"no carrier is called {carrier!r}: {', '.join(found) or 'none is set'}"
        )
    style = found[carrier].text if carrier else next((p.text for p in found.values()), None)
    try:
        seen = previewed(text, style) if style else previewed(text)
    except LocalProtocolError as error:
        raise SettingsError(str(error)) from error
    if as_json:
        typer.echo(json.dumps(asdict(seen)))
        return
    screen = Console(highlight=False, markup=False)
    screen.print(
        f"{seen.encoding}: {_count(seen.segments, 'segment')}, "
        f"{seen.units_left} characters left in the last"
    )
    if seen.forced_by:
        character, place = seen.forced_by
        screen.print(
            f"{character!r} at place {place + 1} does not fit the carrier's plain alphabet"
        )
    if seen.suggestion:
        screen.print(seen.suggestion)


def route(config: Path | None, number: str, as_json: bool) -> None:
    """Print which carriers would be asked for a number, and why; as if all of them were up."""
    settings = load(config)
    known = E164.read(number, settings.calls.region or None)
    if known is None:
        raise SettingsError(f"{number!r} is no phone number: write it like +33123456789")
    offers = [offer for contract in contracts(settings) for offer in contract.offers]
    if not offers:
        raise SettingsError("no carrier is set: see [sms] in the settings")
    health = {offer.carrier: Health(up=True) for offer in offers}
    try:
        found = Routing(offers).route(known.value, health)
    except NoRoute as error:
        raise SettingsError(str(error)) from error
    if as_json:
        rows = [
            {"carrier": r.carrier, "prefix": r.prefix, "cost": str(r.cost), "place": r.place}
            for r in found.rows
        ]
        typer.echo(json.dumps(rows))
        return
    table = Table("asked", "carrier", "prefix", "cost")
    for row in found.rows:
        table.add_row(str(row.place), row.carrier, row.prefix or "any", _money(row.cost))
    Console(highlight=False).print(table)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _money(cost: Decimal) -> str:
    return f"{cost.normalize():f}"
