"""`segue model`: install a speech model, verify it, and measure what it costs here."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from ari_app.bootstrap.premises import load_model
from ari_app.cli.model_bench import Cost, measure, read_clip, spoken_clips
from ari_app.config import load
from ari_app.errors import AsrLost, ModelUnavailable
from ari_app.speech.installing import install as put_in_place
from ari_app.speech.model import ModelFacts, load_model_facts
from ari_app.speech.recognisers import AsrWorkers
from ari_app.telemetry.meter import PrometheusMeter

_PATIENCE = 60.0  # seconds for a turn of a large model on a busy machine


def install(source: Path, into: Path, force: bool, as_json: bool) -> None:
    """Put a model in place, and say how the service is told of it."""
    _quiet()
    facts = put_in_place(source, into, try_it, replace=force)
    if as_json:
        _print_json(_facts(facts))
        return
    _say(f"installed: {_described(facts)}")
    _say(f'now set model_path = "{facts.path}" under [speech], and restart the service')


def verify(model: Path | None, config: Path | None, as_json: bool) -> None:
    """Say whether a model is what was installed and loads; ModelUnavailable if not."""
    _quiet()
    facts = _found(model, config)
    try_it(facts)
    if as_json:
        _print_json({**_facts(facts), "checksums": facts.has_sums, "loads": True})
        return
    _say(f"loads and hears: {_described(facts)}")
    if facts.has_sums:
        _say("every file is what its checksum says")
    else:
        _say("it has no checksums (SHA256SUMS): `segue model install` writes them")


def bench(model: Path | None, config: Path | None, clips: list[Path], as_json: bool) -> None:
    """Print what a model costs on this machine."""
    _quiet()
    facts = _found(model, config)
    cost = asyncio.run(_measured(facts, clips))
    if as_json:
        _print_json({**_facts(facts), **asdict(cost), "talking_per_core": cost.talking_per_core})
        return
    _show(facts, cost, synthesized=not clips)


def try_it(facts: ModelFacts) -> None:
    """Load a model in a worker process and let it hear a second; ModelUnavailable if it cannot.

    Some damage ends libvosk's process only at the first audio.
    """
    asyncio.run(_try(facts))


async def _try(facts: ModelFacts) -> None:
    workers = AsrWorkers(facts, 1, PrometheusMeter(), _PATIENCE, hang=_PATIENCE)
    await workers.start()
    try:
        ear = await workers.open(lambda _: None, lambda: None)
        ear.feed(bytes(2 * facts.rate))
        await ear.finish()
    except AsrLost as error:
        raise ModelUnavailable(
            f"The Vosk model at {facts.path} loads, but hears nothing ({error}): "
            "its files are damaged; get it again."
        ) from error
    finally:
        await workers.aclose()


async def _measured(facts: ModelFacts, paths: list[Path]) -> Cost:
    clips = [read_clip(path, facts.rate) for path in paths] or await spoken_clips(facts.rate)
    return await measure(facts, clips)


def _found(model: Path | None, config: Path | None) -> ModelFacts:
    return load_model(load(config)) if model is None else load_model_facts(model)


def _facts(facts: ModelFacts) -> dict[str, object]:
    return {
        "path": str(facts.path),
        "rate": facts.rate,
        "words": len(facts.words),
        "takes_grammars": facts.dynamic,
        "hears_people": not facts.is_mini,
    }


def _described(facts: ModelFacts) -> str:
    grammars = "takes grammars at run time" if facts.dynamic else "takes no grammars at run time"
    mini = "; hears synthesized voices only" if facts.is_mini else ""
    return f"{facts.path.name}, {facts.rate} Hz, {len(facts.words)} words, {grammars}{mini}"


def _show(facts: ModelFacts, cost: Cost, *, synthesized: bool) -> None:
    table = Table("figure", "measured", title=_described(facts), title_justify="left")
    table.add_row("load", f"{cost.load_seconds:.2f} s")
    table.add_row("memory of a worker, loaded", f"{cost.loaded_mb:.0f} MB")
    table.add_row("memory at its most", f"{cost.peak_mb:.0f} MB")
    table.add_row("real-time factor (CPU s for each s of speech)", f"{cost.real_time_factor:.3f}")
    table.add_row("callers who talk at once, for each core", f"{cost.talking_per_core}")
    table.add_row("last sample to final words, p50", f"{cost.final_p50_ms:.0f} ms")
    table.add_row("last sample to final words, slowest", f"{cost.final_max_ms:.0f} ms")
    table.add_row("speech measured", f"{cost.speech_seconds:.1f} s")
    Console(soft_wrap=True).print(table)
    if synthesized:
        _say("a synthesized voice spoke; --clip with recordings of people says more")


def _quiet() -> None:
    """What goes wrong is said once, as one sentence, and not by the workers' log too."""
    logging.getLogger("ari_app.speech").setLevel(logging.CRITICAL)


def _say(text: str) -> None:
    Console(soft_wrap=True).print(text, markup=False, highlight=False)


def _print_json(found: dict[str, object]) -> None:
    typer.echo(json.dumps(found, ensure_ascii=False))
