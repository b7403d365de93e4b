"""Reading a carrier's profile from its TOML file, and the examples that come with the library."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import Field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

from smpp.profile import Profile
from smpp.profile_keys import KeyRow, ProfileError, Section, read_section, rows_of
from smpp.profile_sections import Tls

_LONGEST = 64 * 1024  # octets of a file


def load(path: Path) -> Profile:
    """The profile in a file; ProfileError with one sentence if it cannot be used."""
    try:
        with path.open("rb") as file:
            octets = file.read(_LONGEST + 1)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror or 'cannot be read'}") from error
    return parse(octets, origin=str(path), folder=path.parent)


def examples() -> list[str]:
    """The names of the examples; `default` has every key."""
    folder = resources.files("smpp") / "profiles"
    return sorted(
        file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")
    )


def example(name: str) -> Profile:
    """One of the examples; ProfileError if there is none of that name."""
    if name not in examples():
        raise ProfileError(f"there is no example {name!r}; allowed: {', '.join(examples())}")
    octets = (resources.files("smpp") / "profiles" / f"{name}.toml").read_bytes()
    return parse(octets, origin=f"{name}.toml", folder=Path())


def parse(octets: bytes, *, origin: str, folder: Path) -> Profile:
    """The profile that these octets say; `origin` is named in errors.

    Paths in it that are relative are taken from `folder`.
    """
    try:
        return _profile(_document(octets), folder)
    except ProfileError as error:
        raise ProfileError(f"{origin}: {error}") from None


def describe() -> list[KeyRow]:
    """Every key with its default, what is allowed, and what it means; to make documents from."""
    rows = rows_of(Profile, "")
    for table, (_, section) in _tables().items():
        rows += rows_of(section, f"{table}.")
    return rows


# -- inside -----------------------------------------------------------------------------------


def _document(octets: bytes) -> dict[str, Any]:
    if len(octets) > _LONGEST:
        raise ProfileError(f"too long; allowed: at most {_LONGEST} octets")
    try:
        return tomllib.loads(octets.decode())
    except UnicodeDecodeError:
        raise ProfileError("not UTF-8; allowed: TOML in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"not TOML: {error}") from None
    except RecursionError:
        raise ProfileError("nested too deep; allowed: TOML with tables of keys") from None


def _tables() -> dict[str, tuple[Field[Any], type[Section]]]:
    """The sections of a profile by the names that their tables have."""
    hints = get_type_hints(Profile)
    return {
        found.metadata.get("table", found.name): (found, hints[found.name])
        for found in fields(Profile)
        if "kind" not in found.metadata
    }


def _profile(document: Mapping[str, Any], folder: Path) -> Profile:
    tables = _tables()
    sections = {}
    for name in document.keys() & tables.keys():
        found, section = tables[name]
        sections[found.name] = _section(name, section, document[name])
    keys = {name: raw for name, raw in document.items() if name not in tables}
    unknown = keys.keys() - {"name", "hosts"}
    if unknown:
        known = ", ".join(["name", "hosts", *(f"[{name}]" for name in tables)])
        raise ProfileError(f"{min(unknown)!r} is no key; allowed: {known}")
    if "name" not in keys:
        raise ProfileError("name is missing; allowed: the name of the carrier")
    profile = read_section(Profile, keys, **sections)
    return replace(profile, tls=_seen_from(folder, profile.tls))


def _section(name: str, section: type[Section], table: object) -> Section:
    if not isinstance(table, dict):
        raise ProfileError(f"{name} is not a table; allowed: [{name}] with its keys below")
    try:
        return read_section(section, table)
    except ProfileError as error:
        raise ProfileError(f"{name}.{error}") from None


def _seen_from(folder: Path, tls: Tls) -> Tls:
    def seen(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    return replace(
        tls,
        ca_file=seen(tls.ca_file),
        certificate_file=seen(tls.certificate_file),
        key_file=seen(tls.key_file),
    )
