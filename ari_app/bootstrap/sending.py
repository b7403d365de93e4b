"""The rules before the wire, as the settings have them: words, hours, limits and prices."""

from __future__ import annotations

import logging
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers

from ari_app.config import Sending, Settings
from ari_app.errors import SettingsError
from ari_app.policy.bundle import Bundle
from ari_app.policy.sending.countries import read_countries
from ari_app.policy.sending.limits import Limits
from ari_app.policy.sending.numbers import KINDS, NOWHERE
from ari_app.policy.sending.prices import Prices, read_prices
from ari_app.policy.sending.rules import Pumping, Rules
from ari_app.policy.sending.words import Answer, Vocabulary, read_vocabulary
from ari_app.ports import Clock, Meter
from ari_app.store.engine import Engine
from ari_app.store.gate import SendingGate
from ari_app.threads.keywords import Keywords, Manners, OptOuts

logger = logging.getLogger(__name__)

_DATA = Path(__file__).parent.parent / "policy" / "sending"
_SECOND = 1_000_000
_ANY = "*"
# Words that are the same everywhere are answered in the language of the site.
_EVERYWHERE = frozenset({"en", "site"})


def gate(settings: Settings, engine: Engine, meter: Meter, subject_key: bytes) -> SendingGate:
    """What the store asks at every claim; SettingsError."""
    return SendingGate(
        engine, rules(settings), meter, subject_key=subject_key, sender=settings.sms.source
    )


def rules(settings: Settings) -> Rules:
    """The rules, with their data read; SettingsError names the place."""
    sending = settings.sending
    _check_zones(sending)
    return Rules(
        opt_out=sending.opt_out,
        countries=_countries(settings),
        refused_kinds=_kinds(sending),
        hours=read_countries(*_text(sending.hours, "countries.toml", "hours")),
        quiet=frozenset(sending.quiet_purposes),
        any_zone=sending.no_common_hour == "any",
        limits=_limits(sending),
        prices=_prices(sending),
        pumping=Pumping(sending.pumping),
        longest_wait=int(sending.longest_wait * _SECOND),
    )


def vocabulary(settings: Settings) -> Vocabulary:
    """The words of all languages; SettingsError."""
    sending = settings.sending
    text, where = _text(sending.words, "words.toml", "words")
    return read_vocabulary(text, where, sending.stop_words)


def keywords(settings: Settings, bundle: Bundle, outs: OptOuts, clock: Clock) -> Keywords | None:
    """What answers STOP and its like; None if the site does it elsewhere. SettingsError."""
    sending = settings.sending
    if not sending.opt_out:
        return None
    words = vocabulary(settings)
    brand = sending.brand or str(bundle.values.get("brand", "")) or settings.sms.source
    contact = sending.contact or bundle.people

    def answer(kind: Answer, language: str) -> str:
        if language in _EVERYWHERE:
            language = bundle.language.split("-")[0]
        # A bundle that has a text of this name says it in its own words.
        if language == bundle.language.split("-")[0] and kind.value in bundle.texts:
            return bundle.text(kind.value)
        return words.answer(kind, language, brand, contact)

    manners = Manners(
        answer,
        opt_out_of_all=sending.opt_out_scope == "all",
        revocation_stops=sending.revocation_stops,
        confirm=sending.confirm_opt_out,
        receipt_patience=settings.sms.receipt_patience,
    )
    return Keywords(words, outs, manners, clock)


def _limits(sending: Sending) -> Limits:
    return Limits(
        recipient_hour=sending.recipient_hour,
        recipient_day=sending.recipient_day,
        conversation_day=sending.conversation_day,
        prefix_hour=sending.prefix_hour,
        prefix_digits=sending.prefix_digits,
        near_hour=sending.near_hour,
        near_digits=sending.near_digits,
        failure_share=sending.failure_share,
        failure_least=sending.failure_least,
        money_day=round(sending.money_day * 1_000_000),
    )


def _countries(settings: Settings) -> frozenset[str] | None:
    named = frozenset(settings.sending.countries)
    if _ANY in named:
        return None
    if not named:
        return frozenset({settings.calls.region}) if settings.calls.region else None
    unknown = sorted(named - phonenumbers.SUPPORTED_REGIONS - {NOWHERE})
    if unknown:
        raise SettingsError(f"[sending] countries: {unknown[0]!r} is no country: write US or FR")
    return named


def _kinds(sending: Sending) -> frozenset[str]:
    named = frozenset(sending.refused_kinds)
    if unknown := sorted(named - KINDS):
        known = ", ".join(sorted(KINDS))
        raise SettingsError(f"[sending] refused_kinds: {unknown[0]!r} is none of {known}")
    return named


def _prices(sending: Sending) -> Prices:
    return read_prices(*_text(sending.prices, "prices.toml", "prices"))


def _text(named: Path | None, ours: str, setting: str) -> tuple[str, str]:
    """The text, and what to call it in a complaint."""
    path = named or _DATA / ours
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"[sending] {setting}: cannot read {path}: {error}") from None


def _check_zones(sending: Sending) -> None:
    if not sending.quiet_purposes:
        return
    try:
        ZoneInfo("Europe/Paris")
    except ZoneInfoNotFoundError:
        sentence = (
            "[sending] quiet_purposes: this machine has no time zones: install the system's "
            "package tzdata"
        )
        if "quiet_purposes" in sending.model_fields_set:
            raise SettingsError(sentence) from None
        logger.warning("%s; until then texts of these purposes are refused", sentence)
