"""Checks a Vosk model folder before libvosk sees it: a bad one would abort it or hang it."""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ari_app.errors import ModelUnavailable

_MINI = "vosk-model-mini-espeak-"  # and a language
_MANIFEST = "SHA256SUMS"
_LONGEST_MANIFEST = 1 << 20  # octets
_ALWAYS = ("am/final.mdl", "conf/mfcc.conf", "conf/model.conf")
_STATIC = ("graph/HCLG.fst",)
_DYNAMIC = ("graph/HCLr.fst", "graph/Gr.fst", "graph/disambig_tid.int")
_IVECTOR = (
    "ivector/final.ie",
    "ivector/final.dubm",
    "ivector/final.mat",
    "ivector/global_cmvn.stats",
    "ivector/online_cmvn.conf",
    "ivector/splice.conf",
)
_IF_THERE = (
    "graph/words.txt",
    "graph/phones/word_boundary.int",
    "rescore/G.fst",
    "rescore/G.carpa",
    "rnnlm/final.raw",
    "rnnlm/special_symbol_opts.conf",
    "rnnlm/word_feats.txt",
    "rnnlm/feat_embedding.final.mat",
)

_KALDI_DEFAULT_RATE = 16000  # feat/feature-window.h: samp_freq
_OPTION = re.compile(r"--[A-Za-z][\w.-]*(=\S.*)?")  # util/parse-options.h

_FST_MAGIC = struct.pack("<i", 2125659606)  # openfst, fst.h: kFstMagicNumber
_SYMBOLS_MAGIC = 2125658996  # openfst, symbol-table.cc: kSymbolTableMagicNumber
_KALDI_BINARY = b"\0B"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model folder that has passed every check we can make without libvosk."""

    path: Path
    rate: int  # 8000 or 16000
    dynamic: bool  # takes a grammar at run time
    words: frozenset[str]  # what it can hear, without <eps>, #0 and the like
    is_mini: bool  # hears espeak-ng voices only: for demo and tests
    has_sums: bool = False  # every file that libvosk reads has been compared with its checksum


def mini_model_path(language: str = "en") -> Path:
    """The model of a language that ships with Segue: it hears espeak-ng voices, not people."""
    return Path(__file__).parent / "models" / f"{_MINI}{language}"


def load_model_facts(path: Path) -> ModelFacts:
    """What the folder holds; ModelUnavailable if libvosk must not see it.

    Reads every file that has a checksum: about a second for each gigabyte.
    """
    try:
        return _load(path)
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, f"cannot be read ({error})") from error


def why_unusable(facts: ModelFacts, *, thoroughly: bool) -> str:
    """What has become wrong with a model since its facts were taken; "" if nothing has.

    A look at each file takes no time; `thoroughly` is as slow as load_model_facts.
    """
    try:
        if thoroughly:
            now = load_model_facts(facts.path)
            if now.rate != facts.rate or now.dynamic != facts.dynamic or now.words != facts.words:
                raise _unusable(facts.path, "is another one than at the start of the service")
        else:
            _required(facts.path)
    except ModelUnavailable as error:
        return str(error)
    except OSError as error:
        return str(_unusable(facts.path, f"cannot be read ({error})"))
    return ""


def write_sums(path: Path) -> None:
    """Give a model folder its checksums, as `sha256sum -b` writes them; OSError if it cannot.

    What is there now is taken for good: do it when the model comes from its maker.
    """
    files = [f for f in sorted(path.rglob("*")) if f.is_file() and f.name != _MANIFEST]
    lines = [f"{_digest(file)} *{file.relative_to(path).as_posix()}\n" for file in files]
    part = path / f"{_MANIFEST}.part"
    part.write_text("".join(line for line in lines if not line.endswith(f"*{part.name}\n")))
    part.replace(path / _MANIFEST)


def _load(path: Path) -> ModelFacts:
    required = _required(path)
    options = _options(path, "conf/mfcc.conf")
    _options(path, "conf/model.conf")
    has_sums = _check_sums(path, required)
    dynamic = _is_dynamic(path)
    return ModelFacts(
        path=path,
        rate=_rate(path, options),
        dynamic=dynamic,
        words=_words(path, "graph/Gr.fst" if dynamic else "graph/HCLG.fst"),
        is_mini=_is_mini(path),
        has_sums=has_sums,
    )


def _is_dynamic(path: Path) -> bool:
    """The same choice as libvosk makes: HCLG.fst if it is there."""
    return not (path / "graph/HCLG.fst").exists()


def _required(path: Path) -> list[str]:
    """The files that libvosk will read, each looked at."""
    if not path.is_dir():
        raise ModelUnavailable(
            f"There is no Vosk model at {path}: install one with `segue model install PATH`, "
            "or set speech.model_path to its folder."
        )
    dynamic = _is_dynamic(path)
    required = [*_ALWAYS, *(_DYNAMIC if dynamic else _STATIC)]
    if (path / "ivector").exists():
        required += _IVECTOR
    if dynamic and not (path / "graph/HCLr.fst").exists():
        raise _unusable(path, "lacks graph/HCLG.fst (or graph/HCLr.fst with graph/Gr.fst)")
    required += [name for name in _IF_THERE if (path / name).exists()]
    for name in required:
        _check_file(path, name)
    return required


def _unusable(path: Path, reason: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The Vosk model at {path} {reason}: install it again, or set speech.model_path to another."
    )


def _check_file(path: Path, name: str) -> None:
    file = path / name
    if not file.is_file():
        raise _unusable(path, f"lacks {name}")
    if not file.stat().st_size:
        raise _unusable(path, f"has an empty {name}")
    with file.open("rb") as stream:
        head = stream.read(4)
    if name.endswith(".fst") and head != _FST_MAGIC:
        raise _unusable(path, f"has a damaged {name} (not an OpenFst file)")
    if name.endswith(".mdl") and not head.startswith(_KALDI_BINARY):
        raise _unusable(path, f"has a damaged {name} (not a Kaldi file)")


def _check_sums(path: Path, required: list[str]) -> bool:
    """Compare every file of the manifest, which must name all that are read; False without one."""
    manifest = path / _MANIFEST
    if not manifest.is_file():
        return False
    if manifest.stat().st_size > _LONGEST_MANIFEST:
        raise _unusable(path, f"has a damaged {_MANIFEST} (too long)")
    sums: dict[str, str] = {}
    for line in manifest.read_text().splitlines():
        found = re.fullmatch(r"([0-9a-f]{64}) [ *](?:\./)?(.+)", line)
        if not found or Path(found[2]).is_absolute() or ".." in Path(found[2]).parts:
            raise _unusable(path, f"has a damaged {_MANIFEST}")
        sums[found[2]] = found[1]
    for name in required:
        if name not in sums:
            raise _unusable(path, f"has no checksum of {name} in {_MANIFEST}")
    for name, digest in sums.items():
        if not (path / name).is_file():
            raise _unusable(path, f"lacks {name}")
        if _digest(path / name) != digest:
            raise _unusable(path, f"has a damaged {name} (checksum)")
    return True


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _options(path: Path, name: str) -> dict[str, str]:
    """The options of a Kaldi configuration file; a line of any other form makes Kaldi abort."""
    options: dict[str, str] = {}
    for line in (path / name).read_text().splitlines():
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        if not _OPTION.fullmatch(text):
            raise _unusable(path, f"has a damaged {name} (line {text[:40]!r})")
        option, _, value = text.partition("=")
        options[option] = value.strip()
    return options


def _rate(path: Path, options: dict[str, str]) -> int:
    given = options.get("--sample-frequency", str(_KALDI_DEFAULT_RATE))
    try:
        rate = float(given)
    except ValueError:
        rate = 0.0
    if rate not in (8000, 16000):
        raise _unusable(path, f"is for audio at {given[:20]} Hz, not 8000 or 16000")
    return int(rate)


def _is_mini(path: Path) -> bool:
    """Whether this is a mini model of ours, also under another name."""
    readme = path / "README"
    if path.name.startswith(_MINI):
        return True
    return readme.is_file() and readme.read_bytes().startswith(_MINI.encode())


# -- the vocabulary ---------------------------------------------------------------------------


def _words(path: Path, graph: str) -> frozenset[str]:
    listed = path / "graph/words.txt"
    if listed.exists():
        names = [line.split()[0] for line in listed.read_text().splitlines() if line.strip()]
    else:
        # The official small models have no words.txt: the words are inside the graph.
        try:
            with (path / graph).open("rb") as stream:
                names = _output_symbols(stream)
        except (struct.error, ValueError):
            raise _unusable(path, f"has no graph/words.txt and no words in {graph}") from None
    words = frozenset(name for name in names if not re.match(r"[<\[#!]", name))
    if not words:
        raise _unusable(path, "knows no words")
    return words


def _output_symbols(stream: BinaryIO) -> list[str]:
    """The output symbol table of an OpenFst file (fst.cc: FstHeader::Read, little-endian)."""
    _take(stream, "i")  # the magic number, checked already
    _string(stream)  # the type of the FST
    _string(stream)  # the type of its arcs
    _version, flags = _take(stream, "ii")
    _take(stream, "Qqqq")  # properties, start, states, arcs
    has_input, has_output = flags & 1, flags & 2
    if has_input:
        _symbols(stream)
    if not has_output:
        raise ValueError("no output symbols")
    return _symbols(stream)


def _symbols(stream: BinaryIO) -> list[str]:
    """A symbol table (symbol-table.cc: SymbolTableImpl::Read)."""
    if _take(stream, "i") != (_SYMBOLS_MAGIC,):
        raise ValueError("not a symbol table")
    _string(stream)  # its name
    _next, size = _take(stream, "qq")
    symbols = []
    for _ in range(size):
        symbols.append(_string(stream))
        _take(stream, "q")
    return symbols


def _string(stream: BinaryIO) -> str:
    (length,) = _take(stream, "i")
    if not 0 <= length <= 4096:
        raise ValueError(f"a name of {length} octets")
    octets = stream.read(length)
    if len(octets) < length:
        raise ValueError("half a name")
    return octets.decode()


def _take(stream: BinaryIO, fields: str) -> tuple[int, ...]:
    layout = struct.Struct("<" + fields)
    return layout.unpack(stream.read(layout.size))
