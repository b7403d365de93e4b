"""A file of opt-outs: an export of ours, or somebody's list of numbers, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ari_app.conversation.identity import E164, is_pseudonym
from ari_app.errors import SettingsError
from ari_app.policy.sending.senders import sender_of

_LONGEST = 10_000
_HEAD = "segue_optouts"


@dataclass(frozen=True, slots=True)
class Line:
    """One who wants no texts of `sender`."""

    subject: str
    sender: str


def read_lines(
    file: Path, key: bytes, installation: str, region: str | None, sender: str
) -> Iterator[Line]:
    """All of it, one line in memory at a time; `sender` is whose where the line names none.

    SettingsError names the first line that cannot be read. A pseudonym means something only where
    it was made: `installation` is ours, the export says its own.
    """
    ours = False
    try:
        with file.open(encoding="utf-8") as lines:
            number = 0
            while text := lines.readline(_LONGEST):
                number += 1
                plain = text.strip()
                if not plain or plain.startswith("#"):
                    continue
                where = f"line {number} of {file}"
                if not plain.startswith("{"):
                    yield Line(_subject(plain, key, region, where), sender)
                    continue
                found = _object(plain, where)
                if _HEAD in found:
                    ours = found.get("installation") == installation
                    continue
                yield _line(found, key, ours, region, sender, where)
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not a text file (UTF-8)") from None


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError(f"{where} is not JSON") from None
    return found if isinstance(found, dict) else {}


def _line(
    found: dict[str, Any], key: bytes, ours: bool, region: str | None, sender: str, where: str
) -> Line:
    named = found.get("sender", sender)
    of = sender_of(named) if isinstance(named, str) and named else sender
    subject, number = found.get("subject"), found.get("number")
    if isinstance(number, str):
        return Line(_subject(number, key, region, where), of)
    if not isinstance(subject, str) or not is_pseudonym(subject):
        raise SettingsError(f"{where} names neither a number nor a subject")
    if not ours:
        raise SettingsError(
            f"{where} has no number, and its subject is of another installation: export it there "
            "with --numbers"
        )
    return Line(subject, of)


def _subject(text: str, key: bytes, region: str | None, where: str) -> str:
    number = E164.read(text, region)
    if number is None:
        # The line itself may be half a number: it is not shown.
        raise SettingsError(f"{where} is not a phone number: write it as +12025550123")
    return number.subject(key)
