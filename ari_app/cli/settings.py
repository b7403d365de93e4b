"""`segue config check`: what `segue run` would read, read now."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ari_app.bootstrap import sending, speaking
from ari_app.bootstrap.premises import load_bundle, load_model, load_models
from ari_app.bootstrap.texting import contracts
from ari_app.cli.prompts import findings
from ari_app.config import Settings, load, read_secret
from ari_app.policy.bundle import Bundle
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter


def check(config: Path | None) -> None:
    """Print what was found; SettingsError, BundleError or ModelUnavailable otherwise."""
    settings = load(config)
    bundle = load_bundle(settings)
    screen = Console(highlight=False, markup=False)  # [fe80::1] is a host
    secrets = {
        "ARI password": read_secret(
            settings.pbx.password_file, "ari_password", "pbx.password_file"
        ),
        "AMI secret": read_secret(settings.ami.secret_file, "ami_secret", "ami.secret_file"),
        "bind password": read_secret(
            settings.sms.password_file, "smpp_password", "sms.password_file"
        ),
    }
    screen.print(f"policy   {bundle.name} {bundle.hash}, {len(bundle.rules)} rules")
    for tag, translation in bundle.translations.items():
        screen.print(f"policy   in {tag}: {translation.hash}")
    screen.print(f"speech   {_speech(settings)}")
    for line in _prompts(settings, bundle):
        screen.print(f"prompts  {line}")
    for name, value in secrets.items():
        screen.print(f"secret   {name}: {'set' if value else 'not set'}")
    sending.rules(settings)
    sending.vocabulary(settings)
    for contract in contracts(settings):
        hosts = ", ".join(map(str, contract.profile.hosts))
        screen.print(f"carrier  {contract.profile.name} at {hosts}")
    screen.print("settings are good")


def _prompts(settings: Settings, bundle: Bundle) -> list[str]:
    """What will be said by what; BundleError if nobody speaks the bundle's language."""
    speaking.voice(settings, bundle, SystemClock(), PrometheusMeter(), folder=None)
    wordings, recordings = speaking.wordings(bundle), speaking.recordings(settings)
    wrong = findings(recordings, wordings)
    there = (path for w in wordings if (path := recordings.path(w)) and path.exists())
    counts = f"{len(wordings)} in {bundle.language}, {len(list(there))} recorded"
    return [counts, *(f"warning: {finding}" for finding in wrong)]


def _speech(settings: Settings) -> str:
    """What will hear; ModelUnavailable if that is a model that cannot be used."""
    if settings.speech.remote:
        return f"the vosk-server at {settings.speech.remote}"
    model = load_model(settings)
    kind = "the mini model: synthesized voices only" if model.is_mini else "for people"
    others = "".join(f", {tag}: {facts.path.name}" for tag, facts in load_models(settings).items())
    return f"{model.path.name}, {model.rate} Hz ({kind}){others}"
