"""The settings of the rules before the wire: sane without any, one sentence for a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest

from ari_app.bootstrap import sending
from ari_app.config import Calls, Sending, Settings, Sms
from ari_app.errors import SettingsError
from ari_app.policy.sending.rules import Pumping
from ari_app.policy.sending.words import Answer, Says
from tests.support.bundle import demo_bundle
from tests.support.clock import FakeClock


class NobodyOut:
    async def holds(self, subject: str, sender: str) -> bool:
        return False


def settings(region: str = "US", **values: Any) -> Settings:
    return Settings(
        sending=Sending(**values), calls=Calls(region=region), sms=Sms(source="+15550199")
    )


def refused(**values: Any) -> str:
    with pytest.raises(SettingsError) as error:
        sending.rules(settings(**values))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_site_that_sets_nothing_keeps_to_stop_and_texts_its_own_country() -> None:
    rules = sending.rules(settings())
    assert rules.opt_out
    assert rules.countries == frozenset({"US"})
    assert {"fixed_line", "premium_rate"} <= rules.refused_kinds
    assert rules.quiet == {"marketing"}
    assert rules.limits.recipient_hour > 0
    assert rules.limits.money_day == 0
    assert rules.pumping is Pumping.WAIT


def test_a_site_without_a_region_texts_everywhere() -> None:
    assert sending.rules(settings(region="")).countries is None


def test_countries_can_be_named_or_all_be_allowed() -> None:
    assert sending.rules(settings(countries=("FR", "BE"))).countries == frozenset({"FR", "BE"})
    assert sending.rules(settings(countries=("*",))).countries is None


def test_money_is_counted_in_millionths() -> None:
    rules = sending.rules(settings(money_day=12.5))
    assert rules.limits.money_day == 12_500_000
    assert rules.prices.of("+12025550123", "hi") == 20_000


def test_seconds_are_counted_in_microseconds() -> None:
    assert sending.rules(settings(longest_wait=2.5)).longest_wait == 2_500_000


def test_the_files_of_the_site_are_read(tmp_path: Path) -> None:
    prices, hours = tmp_path / "prices.toml", tmp_path / "hours.toml"
    prices.write_text('[prices]\n"" = 1')
    hours.write_text('[default]\nopen = "10:00-11:00"')
    rules = sending.rules(settings(prices=prices, hours=hours))
    assert rules.prices.of("+12025550123", "hi") == 1_000_000
    assert rules.hours.keys() == {"default"}


def test_wrong_settings_are_one_sentence(tmp_path: Path) -> None:
    assert "[sending] countries: 'UK' is no country" in refused(countries=("US", "UK"))
    assert "[sending] refused_kinds: 'landline' is none of" in refused(refused_kinds=("landline",))
    assert "[sending] prices: cannot read" in refused(prices=tmp_path / "none.toml")
    assert "[sending] hours: cannot read" in refused(hours=tmp_path)


def test_a_machine_without_time_zones_is_told_of_if_they_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(name: str) -> None:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(sending, "ZoneInfo", none)
    assert "install the system's package tzdata" in refused(quiet_purposes=("marketing",))
    sending.rules(settings())
    assert "until then texts of these purposes are refused" in caplog.text
    caplog.clear()
    sending.rules(settings(quiet_purposes=()))
    assert caplog.text == ""


def test_the_words_of_the_site_are_heard_too() -> None:
    words = sending.vocabulary(settings(stop_words=("Schluss",)))
    said = words.read("schluss!")
    assert said is not None
    assert said.says is Says.STOP


def test_a_word_of_the_site_that_means_help_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"\[sending\] stop_words: 'hilfe' is in two lists"):
        sending.vocabulary(settings(stop_words=("hilfe",)))


def answer(kind: Answer, language: str, **values: Any) -> str:
    keywords = sending.keywords(settings(**values), demo_bundle(), NobodyOut(), FakeClock())
    assert keywords is not None
    return keywords._manners.answer(kind, language)


def test_a_bundle_that_has_the_answer_says_it_in_its_own_words() -> None:
    ours = "Harbour Clinic: you will get no more texts from us."
    assert answer(Answer.STOPPED, "en") == ours
    assert answer(Answer.STOPPED, "site") == ours
    assert answer(Answer.STOPPED, "fr").startswith("Harbour Clinic : vous ne recevrez plus")


def test_help_names_the_brand_and_who_helps() -> None:
    assert answer(Answer.HELP, "en").startswith("Harbour Clinic. Help: the front desk.")
    told = answer(Answer.HELP, "en", brand="Quay", contact="call +12025550100")
    assert told.startswith("Quay. Help: call +12025550100.")


def test_a_site_that_does_it_elsewhere_has_no_keywords() -> None:
    off = settings(opt_out=False)
    assert sending.keywords(off, demo_bundle(), NobodyOut(), FakeClock()) is None
    assert not sending.rules(off).opt_out


def test_the_scope_of_stop_is_a_setting() -> None:
    for scope, of_all in (("all", True), ("sender", False)):
        keywords = sending.keywords(
            settings(opt_out_scope=scope), demo_bundle(), NobodyOut(), FakeClock()
        )
        assert keywords is not None
        assert keywords._manners.opt_out_of_all is of_all
