"""All steps of the recipe, each kept in a work folder: what is there already is not made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ari_app.errors import Unavailable
from ari_app.speech.recipe.folder import write_model
from ari_app.speech.recipe.labels import FRAME_MS
from ari_app.speech.recipe.line import Telephony
from ari_app.speech.recipe.network import Network
from ari_app.speech.recipe.sentences import language_corpus
from ari_app.speech.recipe.speaking import Speech, speak
from ari_app.speech.recipe.tongue import Tongue

_SEED = 20240
_READ = 150_000  # sentences for the n-gram


@dataclass(frozen=True, slots=True)
class Effort:
    """How long it takes, and how good it becomes."""

    sentences: int = 16_000
    first_epochs: float = 1.2
    second_epochs: float = 2.0  # after the realignment; 0 leaves both out: quicker, not as good


def build(
    tongue: Tongue,
    telephony: Telephony,
    work: Path,
    into: Path,
    effort: Effort,
    *,
    processes: int,
    threads: int,
    tell: Callable[[str], None],
) -> None:
    """Make the mini model of a language; Unavailable without the packages of the extra."""
    work.mkdir(parents=True, exist_ok=True)
    corpus = language_corpus(tongue.language, effort.sentences, _READ)
    if not (work / "speech.npz").exists():
        tell(f"speaking {effort.sentences} sentences")
        speak(
            tongue,
            corpus.train,
            telephony,
            seed=_SEED,
            count=effort.sentences,
            processes=processes,
            step=lambda done: tell(f"  {done} spoken"),
        ).save(work)
    speech = Speech.load(work)
    if not (work / "network.npz").exists():
        _train(speech, tongue, work / "first.npz", effort, threads, tell).save(work / "network.npz")
    hours = len(speech.labels) * FRAME_MS / 3_600_000
    network = Network.load(work / "network.npz")
    missing = write_model(into, tongue, corpus, speech.heard, network, hours)
    if missing:
        tell(f"no voice has said, so the model cannot hear: {', '.join(missing)}")
    tell(f"the model is at {into}")


def _train(
    speech: Speech,
    tongue: Tongue,
    half_way: Path,
    effort: Effort,
    threads: int,
    tell: Callable[[str], None],
) -> Network:
    try:
        from ari_app.speech.recipe.alignment import realigned
        from ari_app.speech.recipe.training import Progress, Scorer, train
    except ImportError as error:
        raise Unavailable(
            f"Training needs packages of the extra `recipe` ({error.name} is not there): "
            "install `segue[recipe]` into an environment of its own."
        ) from error

    def step(now: Progress) -> None:
        tell(f"  step {now.step} of {now.steps}, loss {now.loss:.3f}, right {now.accuracy:.1%}")

    if not half_way.exists():
        tell("training on espeak-ng's own times")
        train(speech, tongue, effort.first_epochs, threads=threads, step=step).save(half_way)
    first = Network.load(half_way)
    if not effort.second_epochs:
        return first
    scorer = Scorer(first, tongue)
    speech, changed = realigned(speech, scorer.scores, first.priors, tongue)
    tell(f"training on the network's own times: {changed:.1%} of the labels have changed")
    return train(speech, tongue, effort.second_epochs, start=first, threads=threads, step=step)
