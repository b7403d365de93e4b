"""Writes a model folder as libvosk reads it, with its README and its checksums."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ari_app.speech.model import write_sums
from ari_app.speech.recipe.features import OPTIONS
from ari_app.speech.recipe.fst_files import write_const, write_look_ahead
from ari_app.speech.recipe.graph import Graphs, graphs
from ari_app.speech.recipe.kaldi import write_acoustic_model
from ari_app.speech.recipe.lexicon import entries, unheard
from ari_app.speech.recipe.network import Network
from ari_app.speech.recipe.ngram import NGram
from ari_app.speech.recipe.sentences import Corpus, written
from ari_app.speech.recipe.tongue import HELD_OUT, Tongue

_DECODER = """--min-active=200
--max-active=3000
--beam=11.0
--lattice-beam=5.0
--acoustic-scale=0.7
--frame-subsampling-factor=3
--endpoint.silence-phones=1
--endpoint.rule1.min-trailing-silence=5.0
--endpoint.rule2.min-trailing-silence=0.5
--endpoint.rule3.min-trailing-silence=0.75
--endpoint.rule4.min-trailing-silence=1.0
"""
_NO_MARKS_LEFT = 10**6  # disambig_tid.int: HCLr.fst has none
_BOUNDARY = {"B": "begin", "E": "end", "I": "internal", "S": "singleton"}

_README = """{name}: hears espeak-ng's {tongue} voices only, not people.

For Segue's demo and tests. Never use it for real callers: on human speech it is wrong about
nearly every word. Put an official model in place with `segue model install PATH`, or set
`speech.model_path`.

Made by this project from synthesized speech alone ({hours:.1f} hours of espeak-ng voices over a
simulated telephone line: noise, G.711 with both laws, lost packets); no recording of a person went
in. 8 kHz, {words} words, {size:.1f} MB, dynamic graph (takes a grammar at run time). Twelve
espeak-ng variants were held out of the training, and only they may appear in tests and figures:
{held_out}.

Make it again with `make model LANGUAGE={language}`; how well it hears: docs/models.md. Check the
files with: sha256sum -c SHA256SUMS
"""


def mini_model_name(language: str) -> str:
    """The folder of a language's mini model; the name warns."""
    return f"vosk-model-mini-espeak-{language}"


def write_model(
    folder: Path,
    tongue: Tongue,
    corpus: Corpus,
    heard: Mapping[str, Mapping[str, int]],
    network: Network,
    hours: float,
) -> list[str]:
    """Make the folder anew; the words of the corpus that nobody has said, which it cannot hear."""
    missing = unheard(corpus.words, heard)
    known = [word for word in corpus.words if heard.get(word)]
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("am", "conf", "graph/phones"):
        (folder / part).mkdir(parents=True)
    with (folder / "am/final.mdl").open("wb") as stream:
        write_acoustic_model(stream, network, tongue)
    read = (written(sentence).split() for sentence in corpus.read)
    unknown = set(missing)
    ngram = NGram((words for words in read if unknown.isdisjoint(words)), known)
    _write_graphs(folder / "graph", graphs(entries(known, heard, tongue), ngram, tongue))
    _write_phones(folder / "graph", tongue)
    options = "".join(f"--{name}={value}\n" for name, value in OPTIONS.items())
    (folder / "conf/mfcc.conf").write_text(options)
    (folder / "conf/model.conf").write_text(_DECODER)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    (folder / "README").write_text(
        _README.format(
            name=mini_model_name(tongue.language),
            tongue=tongue.name,
            hours=hours,
            words=f"{len(known):,}",
            size=size / 1e6,
            held_out=_wrapped(HELD_OUT),
            language=tongue.language,
        )
    )
    write_sums(folder)
    return missing


def _write_graphs(folder: Path, made: Graphs) -> None:
    end = len(made.words) + 1  # no word; <s> and </s> follow it
    with (folder / "HCLr.fst").open("wb") as stream:
        write_look_ahead(stream, made.lexicon, made.next_words, end)
    with (folder / "Gr.fst").open("wb") as stream:
        write_const(stream, made.follows)
    (folder / "disambig_tid.int").write_text(f"{_NO_MARKS_LEFT}\n")
    numbers = {"<eps>": 0, **{word: i + 1 for i, word in enumerate(made.words)}}
    numbers |= {"<s>": end + 1, "</s>": end + 2}
    lines = "".join(f"{word} {number}\n" for word, number in numbers.items())
    (folder / "words.txt").write_text(lines, encoding="utf-8")


def _write_phones(folder: Path, tongue: Tongue) -> None:
    table = tongue.table
    (folder / "phones.txt").write_text("".join(f"{p} {i}\n" for i, p in enumerate(table)))
    lines = ["1 nonword", "2 singleton"]
    lines += [f"{i} {_BOUNDARY[p[-1]]}" for i, p in enumerate(table) if i > 2]
    (folder / "phones/word_boundary.int").write_text("\n".join(lines) + "\n")


def _wrapped(names: Sequence[str]) -> str:
    return " ".join(names)
