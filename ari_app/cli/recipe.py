"""The recipe of the mini models, run by `make model` and `make model-table`; not for operators.

The service's own telephony is given to it here: the rooms do not know each other.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ari_app.errors import SegueError
from ari_app.media.concealment import Concealer
from ari_app.media.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from ari_app.speech.model import mini_model_path
from ari_app.speech.recipe.building import Effort, build
from ari_app.speech.recipe.evaluation import Row, evaluate
from ari_app.speech.recipe.line import PACKET, RATE, Law, Pcm
from ari_app.speech.recipe.sentences import evaluation_sets
from ari_app.speech.recipe.tongue import TONGUES, Tongue

recipe_app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, no_args_is_help=True)
_Language = Annotated[str, typer.Argument(help="en or es.")]

_PAGE = """# The mini models

Made by `make model-table`; the recipe is `ari_app/speech/recipe/` (`make model LANGUAGE=es`).

**They hear espeak-ng's voices, not people**: they are for the demo, the tests and this project's
own figures. On human speech they are wrong about nearly every word; real callers need an official
model (docs/operating.md).

Every row is heard by Vosk in 100 ms pieces. Voices: twelve variants of espeak-ng that are in no
training. "New sentences" are in neither the training of the network nor of the language model;
"short phrases" are texts of the training said by the voices that were held out; "free sentences"
are written by hand, and no grammar was made for them ("A" has been looked at while the grammar
was written, the others have not). Unless a row says otherwise: mu-law, no noise.
"""
# What is to be known of the models that ship; they change with them.
_NOTES = {
    "en": "Made before the recipe knew A-law, lost packets and letters: it cannot spell.",
    "es": "Made with `--second 1.2`; it is not as good in noise as it could be with more training.",
}
_COLUMNS = (
    "| set | sentences | words | wrong words | wrong sentences |\n|---|---:|---:|---:|---:|\n"
)


class ServiceTelephony:
    """G.711 and concealment as in a call."""

    def through(self, law: Law, pcm: Pcm) -> Pcm:
        """The samples after G.711 and back; as they are without a law."""
        match law:
            case "mu-law":
                return ulaw_decode(ulaw_encode(pcm))
            case "A-law":
                return alaw_decode(alaw_encode(pcm))
            case _:
                return pcm

    def concealed(self, pcm: Pcm, lost: frozenset[int]) -> Pcm:
        """The samples with these packets of 20 ms lost, and the gaps filled."""
        concealer = Concealer(RATE)
        heard = b""
        for number, at in enumerate(range(0, len(pcm), PACKET)):
            packet = pcm[at : at + PACKET]
            if number in lost:
                heard += concealer.lost(len(packet))
            else:
                heard += concealer.heard(packet.tobytes())
        return np.frombuffer(heard, np.int16)


@recipe_app.command()
def make(
    language: _Language,
    work: Annotated[Path | None, typer.Option(help="Where the steps are kept.")] = None,
    into: Annotated[Path | None, typer.Option(help="The model; else the one that ships.")] = None,
    sentences: Annotated[int, typer.Option(min=2000, help="To be spoken.")] = Effort().sentences,
    first: Annotated[
        float, typer.Option(help="Epochs before realignment.")
    ] = Effort().first_epochs,
    second: Annotated[
        float, typer.Option(min=0, help="Epochs after it; 0: quick.")
    ] = Effort().second_epochs,
    processes: Annotated[int, typer.Option(min=1, help="That speak.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="That train.")] = 2,
) -> None:
    """Train a mini model: about ten minutes on two quiet cores."""
    build(
        _tongue(language),
        ServiceTelephony(),
        work or Path("build") / f"model-{language}",
        into or mini_model_path(language),
        Effort(sentences, first, second),
        processes=processes,
        threads=threads,
        tell=typer.echo,
    )


@recipe_app.command()
def rate(language: _Language, model: Annotated[Path, typer.Argument(help="Its folder.")]) -> None:
    """Print a model's rows of the table."""
    typer.echo(_table(model, _tongue(language)), nl=False)


@recipe_app.command()
def table(page: Annotated[Path, typer.Argument(help="Where it goes.")]) -> None:
    """Write the page with the figures of the models that ship."""
    parts = [_PAGE]
    for language, tongue in TONGUES.items():
        model = mini_model_path(language)
        parts.append(
            f"\n## {tongue.name}\n\n`{model.name}`, `am/final.mdl` {acoustic_sum(model)[:16]}…\n"
            f"{_NOTES[language]}\n\n"
        )
        parts.append(_table(model, tongue))
    page.write_text("".join(parts), encoding="utf-8")


def acoustic_sum(model: Path) -> str:
    """SHA-256 of a model's network: which one a table is about."""
    return hashlib.sha256((model / "am/final.mdl").read_bytes()).hexdigest()


def _table(model: Path, tongue: Tongue) -> str:
    def tell(row: Row) -> None:
        typer.echo(f"{tongue.language}: {row.name}: {row.word_error_rate:.2f} %", err=True)

    rows = evaluate(model, tongue, evaluation_sets(tongue.language), ServiceTelephony(), tell)
    return _COLUMNS + "".join(
        f"| {row.name} | {row.sentences} | {row.words} | {row.word_error_rate:.2f} % "
        f"| {100 * row.wrong / row.sentences:.1f} % |\n"
        for row in rows
    )


def _tongue(language: str) -> Tongue:
    if language not in TONGUES:
        raise SegueError(f"There is no recipe for {language!r}: take one of {', '.join(TONGUES)}.")
    return TONGUES[language]


if __name__ == "__main__":
    recipe_app()
