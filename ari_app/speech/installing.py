"""Puts a model in its place: from a folder or a zip file to a folder that has passed every check.

Nothing is fetched: this machine may have no way out, and what is installed should be what its
operator has looked at.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from ari_app.errors import ModelUnavailable
from ari_app.speech.model import ModelFacts, load_model_facts, write_sums

_MOST_FILES = 10_000
_MOST_OCTETS = 32 << 30  # the largest official models are some gigabytes
_SPARE_OCTETS = 64 << 20  # left free on the disk
_PIECE = 1 << 20
_MARK = "am/final.mdl"  # in every model, at its top

Trial = Callable[[ModelFacts], None]


def install(source: Path, models: Path, trial: Trial, *, replace: bool) -> ModelFacts:
    """Put the model of a folder or zip file into `models`, under its own name, with checksums.

    `trial` loads it where it can do no harm, and raises ModelUnavailable if that fails. What was
    there under this name stays until the new one is good, and goes only if `replace` says so.
    ModelUnavailable with a sentence otherwise; then nothing has changed.
    """
    _look_at(source)
    name = _name(source)
    target = models / name
    if target.exists() and not replace:
        raise ModelUnavailable(f"There is a model at {target} already: give --force to replace it.")
    try:
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=models) as folder:
            fresh = Path(folder) / name
            _bring(source, fresh)
            facts = _tried(fresh, source, trial)
            if not facts.has_sums:
                write_sums(fresh)
            _swap(fresh, target, Path(folder) / "before")
    except OSError as error:
        raise ModelUnavailable(f"The model cannot be put into {models}: {error}.") from error
    return load_model_facts(target)


def _tried(fresh: Path, source: Path, trial: Trial) -> ModelFacts:
    try:
        facts = load_model_facts(fresh)
        trial(facts)
    except ModelUnavailable as error:
        raise ModelUnavailable(str(error).replace(str(fresh), str(source))) from error
    return facts


def _look_at(source: Path) -> None:
    given = str(source)
    if given.startswith(("http:", "https:", "ftp:")):
        raise ModelUnavailable(
            "Segue fetches nothing from the network: download the model's zip file on another "
            "machine, look at its checksum, and give the file."
        )
    if not source.exists() or not source.resolve().name:
        raise ModelUnavailable(f"There is no model at {source}: give its folder or its zip file.")


def _name(source: Path) -> str:
    """What the model is called: its folder's name, or that of the zip file."""
    name = source.resolve().name
    return name[:-4] if source.is_file() and name.lower().endswith(".zip") else name


def _bring(source: Path, fresh: Path) -> None:
    if source.is_dir():
        top = _top_of(source)
        files = [file for file in top.rglob("*") if file.is_file()]
        _check_size(fresh.parent, len(files), sum(file.stat().st_size for file in files))
        # What a link leads to is copied, as libvosk would read it.
        shutil.copytree(top, fresh)
        return
    try:
        with zipfile.ZipFile(source) as archive:
            _unpack(archive, fresh, source)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, RuntimeError) as error:
        raise ModelUnavailable(
            f"{source} is no zip file, or only half of one ({error}): download it again."
        ) from error
    except NotImplementedError as error:
        raise ModelUnavailable(f"{source} is packed in a way we cannot read: {error}.") from error


def _top_of(folder: Path) -> Path:
    """The folder itself, or the only one inside it that is a model."""
    if (folder / _MARK).exists():
        return folder
    inside = [path.parent.parent for path in folder.glob(f"*/{_MARK}")]
    return inside[0] if len(inside) == 1 else folder


def _unpack(archive: zipfile.ZipFile, fresh: Path, source: Path) -> None:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    for entry in entries:
        _refuse_escape(entry, source)
    _check_size(fresh.parent, len(entries), sum(entry.file_size for entry in entries))
    top = _top_in(entries)
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if not path.is_relative_to(top):
            continue  # such as __MACOSX/
        file = fresh / path.relative_to(top)
        file.parent.mkdir(parents=True, exist_ok=True)
        # zipfile stops at the size that the entry claims, and compares its CRC.
        with archive.open(entry) as packed, file.open("xb") as out:
            shutil.copyfileobj(packed, out, _PIECE)


def _refuse_escape(entry: zipfile.ZipInfo, source: Path) -> None:
    path = PurePosixPath(entry.filename)
    outside = path.is_absolute() or ".." in path.parts or "\\" in entry.filename
    if outside or ":" in path.parts[0]:
        raise ModelUnavailable(
            f"{source} wants to write outside its folder ({entry.filename[:80]!r}): "
            "it is not a model; do not use it."
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ModelUnavailable(
            f"{source} has a link in it ({entry.filename[:80]!r}): unpack it yourself, look where "
            "the link leads, and give the folder."
        )


def _top_in(entries: list[zipfile.ZipInfo]) -> PurePosixPath:
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.parts[-2:] == ("am", "final.mdl") and len(path.parts) <= 3:
            return path.parent.parent
    return PurePosixPath()


def _check_size(folder: Path, files: int, octets: int) -> None:
    if files > _MOST_FILES or octets > _MOST_OCTETS:
        raise ModelUnavailable(
            f"That is no model: it has {files} files with {octets / 1e9:.1f} GB in all."
        )
    free = shutil.disk_usage(folder).free
    if octets + _SPARE_OCTETS > free:
        raise ModelUnavailable(
            f"The model needs {octets / 1e9:.2f} GB and {folder.parent} has {free / 1e9:.2f} GB "
            "free: make room, or give another --into."
        )


def _swap(fresh: Path, target: Path, before: Path) -> None:
    with _kept(target, before):
        fresh.replace(target)


@contextlib.contextmanager
def _kept(target: Path, before: Path) -> Iterator[None]:
    """What is there goes out of the way, and comes back if what follows fails."""
    there = target.exists()
    if there:
        target.replace(before)
    try:
        yield
    except OSError:
        if there:
            before.replace(target)
        raise
