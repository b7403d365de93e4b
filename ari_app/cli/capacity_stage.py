"""A stage for measuring load: with the site's model, policy and voice, on ports of its own."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ari_app.agent.turn import Agent
from ari_app.bootstrap import speaking
from ari_app.bootstrap.premises import load_bundle
from ari_app.cli.simulated_call import spoken
from ari_app.cli.stage import CALLER, DID, Stage, raised
from ari_app.config import Settings
from ari_app.errors import SettingsError, Unavailable
from ari_app.media.g711 import ulaw_decode
from ari_app.phone.caller import Line
from ari_app.phone.rehearsal import rehearse
from ari_app.speech.espeak import Espeak
from ari_app.speech.prompts.recordings import Wording
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from ari_app.understanding.intents import Intents
from asterisk.ports import NoFreePorts, reserve

# Sentences and voices that the mini model was neither trained nor tuned on; no text comes of them.
_SCRIPTS: tuple[tuple[str, ...], ...] = (
    ("hi i would like to reschedule my appointment", "no thank you", "goodbye"),
    ("hello what are your opening hours", "no thank you", "goodbye"),
    ("i need to move my appointment to friday", "no thank you", "goodbye"),
    ("where are you located please", "no thank you", "goodbye"),
)
_VOICES = ("f4", "m4", "linda", "Michael")


@contextlib.asynccontextmanager
async def measuring(
    folder: Path,
    settings: Settings,
    most: int,
    step: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[tuple[Stage, int]]:
    """Everything up, with room for `most` calls in the service; and the port of its metrics page.

    Unavailable if something does not come up.
    """
    try:
        block = reserve()  # the private Asterisk's own block leaves room for 50 calls
    except NoFreePorts as error:
        raise Unavailable(str(error)) from error
    try:
        page = block.ari
        media = {"FIRST_PORT": block.app.start, "LAST_PORT": block.rtp.stop - 1}
        sections = _sections(settings, most, page)
        with _environment({f"SEGUE_MEDIA__{key}": str(port) for key, port in media.items()}):
            async with raised(folder, step, settings=sections) as stage:
                yield stage, page
    finally:
        block.release()


async def scripts(settings: Settings, lines: Sequence[str]) -> list[list[Line]]:
    """What the callers say, as sound; SettingsError if the policy cannot be talked to like that."""
    bundle = load_bundle(settings)
    agent = Agent(bundle, Intents(bundle.intents), SystemClock(), lambda: True)
    said = (tuple(lines),) if lines else _SCRIPTS
    for script in said:
        expected = rehearse(agent, script, CALLER, DID)
        if expected.texts or any(reply.intent is None for reply in expected.replies):
            raise SettingsError(
                "your policy does not understand what the callers say, or texts them: give their "
                "sentences with --say, such as [probe] say, a request and a goodbye"
            )
    async with Espeak() as espeak:
        return [
            await spoken(espeak, script, voice)
            for script in said
            for voice in _VOICES[: max(1, 8 // len(said))]
        ]


async def disclosure(settings: Settings, stage: Stage) -> npt.NDArray[np.int16]:
    """The first prompt as this stage plays it."""
    bundle = load_bundle(settings)
    folder = stage.database.parent / "prompts"
    voice = speaking.voice(settings, bundle, SystemClock(), PrometheusMeter(), folder=folder)
    try:
        text = bundle.prompt(bundle.disclosure)
        await voice.prepare([Wording(text, bundle.language, bundle.disclosure)])
        return ulaw_decode(await voice.speak(text, bundle.language))
    finally:
        await voice.aclose()


def _sections(settings: Settings, most: int, page: int) -> str:
    """TOML of what the site has and the stage has not."""
    speech, voice = settings.speech, settings.voice
    lines = ["[calls]", f"most = {most}", "[telemetry]", f"metrics_port = {page}"]
    lines += ["[voice]", f"voice = {_text(voice.voice)}", f"rate = {voice.rate}"]
    lines += [f"deadline = {voice.deadline}", f"piper = {_text(voice.piper)}"]
    lines += [f"voices = {_table(voice.voices)}", f"piper_models = {_table(voice.piper_models)}"]
    if voice.recordings is not None:
        lines.append(f"recordings = {_text(voice.recordings.resolve())}")
    if voice.lexicon is not None:
        lines.append(f"lexicon = {_text(voice.lexicon.resolve())}")
    lines += ["[speech]", f"workers = {speech.workers}", f"pause = {speech.pause}"]
    if speech.model_path is not None:
        lines.append(f"model_path = {_text(speech.model_path.resolve())}")
    if settings.policy.bundle is not None:
        lines += ["[policy]", f"bundle = {_text(settings.policy.bundle.resolve())}"]
    return "\n".join(lines)


def _table(values: Mapping[str, str | Path]) -> str:
    """A TOML inline table."""
    pairs = ((k, v.resolve() if isinstance(v, Path) else v) for k, v in values.items())
    return "{" + ", ".join(f"{_text(key)} = {_text(value)}" for key, value in pairs) + "}"


def _text(value: object) -> str:
    """A TOML basic string; JSON's escapes are TOML's too."""
    return json.dumps(str(value), ensure_ascii=False)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """With these in the environment of what is started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
