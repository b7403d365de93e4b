"""What an installation has beside its database: keys, its mark, and what vouches for its log."""

from __future__ import annotations

from pathlib import Path

from ari_app.bootstrap.premises import mark, subject_key
from ari_app.config import Settings, read_secret
from ari_app.errors import SettingsError
from ari_app.ledger.note import VerifierKey
from ari_app.privacy import audit

# Of these a backup of the database has none: whoever has both can read all of it.
_KEYS = "the keys of persons: without them nothing personal can be read"
_FOR = {
    "kek": "opens the keys of persons",
    "subject.key": "knows callers again",
    "seal.key": "signs the log",
    "erasures.jsonl": "keeps the erased erased: never put an old one over a newer",
}


def folder_of(settings: Settings) -> Path:
    """Where keys are, unless the settings say otherwise."""
    return settings.store.path.parent


def key_files(settings: Settings) -> list[Path]:
    """Where the files of the keys are, and the erasure ledger at the end."""
    given = {"kek": settings.privacy.kek_file, "subject.key": settings.store.subject_key_file}
    folder = folder_of(settings)
    shared = [] if settings.privacy.keys_url else [folder / "keys.db"]
    return shared + [given.get(name) or folder / name for name in _FOR]


def apart(settings: Settings) -> dict[str, str]:
    """What has to be kept apart from a backup, and what each is for."""
    privacy = settings.privacy
    files = key_files(settings)
    said = {str(path): why for path, why in zip(files[-len(_FOR) :], _FOR.values(), strict=True)}
    if not privacy.keys_url:
        return {str(files[0]): _KEYS, **said}
    ledger = {"the database of privacy.ledger_url": _FOR["erasures.jsonl"]}
    return {"the database of privacy.keys_url": _KEYS, **said, **ledger}


def mark_of(settings: Settings) -> str | None:
    """As `Premises` writes it into the database; None, and no new key, if there is no key."""
    file = settings.store.subject_key_file
    given = read_secret(file, "subject_key", "store.subject_key_file")
    if given is None and not (folder_of(settings) / "subject.key").exists():
        return None
    return mark(subject_key(settings))


def notes_of(settings: Settings, files: list[Path]) -> list[tuple[str, str]]:
    """(where from, signed note) of these files and of the anchor in the settings."""
    anchor = settings.audit.anchor
    if anchor is not None and anchor.exists() and anchor not in files:
        files = [*files, anchor]
    return [
        (str(file), note) for file in files for note in audit.notes_in(_text(file, "--checkpoint"))
    ]


def verifier_of(settings: Settings, file: Path | None, *, needed: bool) -> VerifierKey | None:
    """The key of `file`, else of seal.pub; SettingsError if it is needed and not there."""
    path = file or folder_of(settings) / "seal.pub"
    if file is None and not path.exists():
        if needed:
            raise SettingsError(f"there is no verifier key at {path}: name its file with --key")
        return None
    try:
        return VerifierKey.parse(_text(path, "--key").strip())
    except ValueError as error:
        raise SettingsError(f"--key: {path}: {error}") from None


def _text(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{option}: cannot read {path}: {error}") from None
