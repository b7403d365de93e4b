"""The dialplan of one site: what an admin says of it, checked, and the files that follow."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ari_app.errors import SettingsError
from asterisk.configuration import DIALPLAN

#: What a site has of its own, beside the files that are the same everywhere.
SITE_FILES = ("site-globals.conf", "site.conf")
#: The files that extensions.conf includes; they include the others.
_ENTRIES = ("inbound.conf", "app-down.conf", "to-people.conf", "consent.conf")
_NOT_FOR_SITES = frozenset({"test.conf"})
#: The context for the trunk's endpoint, if numbers are given.
NUMBERS = "segue-numbers"

_DID = re.compile(r"\+?[0-9]{3,15}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAILBOX = re.compile(r"[A-Za-z0-9_-]{1,40}(@[A-Za-z0-9_-]{1,40})?")
_ADDRESS = re.compile(r"[A-Za-z0-9.-]{1,253}:([0-9]{1,5})")
_DAYS = "sun mon tue wed thu fri sat".split()
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_HOURS = re.compile(
    r"(?:([a-z]{3})(?:-([a-z]{3}))? +)?([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])"
)
_DATE = re.compile(r"([0-9]{1,2})(?:-([0-9]{1,2}))? +([a-z]{3})")


class Entry(Enum):
    """The context in which the site's numbers begin."""

    TO_SEGUE = "to-segue"
    BY_HOURS = "by-hours"
    STATIC_MENU = "static-menu"


class Nobody(Enum):
    """What a caller gets whom nobody takes."""

    LATER = "later"
    CALLBACK = "callback"
    VOICEMAIL = "voicemail"


@dataclass(frozen=True, slots=True)
class Site:
    """A site, checked: whatever is in it may stand in a dialplan as it is."""

    dids: tuple[str, ...]
    entry: Entry
    settings: Mapping[str, str]  # of globals.conf, those that are other here
    command: str  # that made it

    @property
    def context(self) -> str:
        """The context for the trunk's endpoint in pjsip.conf."""
        return NUMBERS if self.dids else "from-carrier"


def read_site(
    *,
    dids: Sequence[str] = (),
    entry: Entry = Entry.TO_SEGUE,
    hours: Sequence[str] = (),
    closed: Sequence[str] = (),
    zone: str = "",
    queue: str = "",
    agi: str = "",
    app: str = "",
    nobody: Nobody | None = None,
    mailbox: str = "",
) -> Site:
    """Check what an admin said; SettingsError names the option, what is wrong, and an example."""
    for did in dids:
        _fits(_DID, did, "--did", "the number as your trunk sends it, such as +33123456789")
    if len(set(dids)) < len(dids):
        raise SettingsError("--did: a number is given twice")
    if not dids and entry is not Entry.TO_SEGUE:
        raise SettingsError(f"--entry {entry.value}: say by --did which numbers begin there")
    if (nobody is Nobody.VOICEMAIL) != bool(mailbox):
        raise SettingsError("--nobody voicemail and --mailbox go together")
    _check_zone(zone)
    suffix = f",{zone}" if zone else ""
    given = {
        "SEGUE_APP": app and _fits(_NAME, app, "--app", "a name such as segue"),
        "SEGUE_AGI": agi and _address(agi),
        "SEGUE_QUEUE": queue and _fits(_NAME, queue, "--queue", "a queue of queues.conf"),
        "SEGUE_HOURS": "&".join(read_hours(said) + suffix for said in hours),
        "SEGUE_CLOSED": "&".join(read_date(said) + suffix for said in closed),
        "SEGUE_NOBODY": nobody.value if nobody else "",
        "SEGUE_MAILBOX": mailbox and _fits(_MAILBOX, mailbox, "--mailbox", "such as 600@default"),
    }
    settings = {name: value for name, value in given.items() if value}
    options: list[tuple[str, Sequence[str]]] = [
        ("did", dids),
        ("entry", [] if entry is Entry.TO_SEGUE else [entry.value]),
        ("hours", hours),
        ("closed", closed),
        *((name, [value] if value else []) for name, value in (("zone", zone), ("queue", queue))),
        ("nobody", [nobody.value] if nobody else []),
        *((name, [value] if value else []) for name, value in (("mailbox", mailbox), ("agi", agi))),
        ("app", [app] if app else []),
    ]
    said = [f"--{name} {shlex.quote(value)}" for name, values in options for value in values]
    return Site(tuple(dids), entry, settings, " ".join(["segue dialplan", *said]))


def read_hours(said: str) -> str:
    """`mon-fri 08:00-18:00` as GotoIfTime has it; the last minute is the one before the end."""
    match = _HOURS.fullmatch(said.lower())
    if match is None or any(day and day not in _DAYS for day in match.group(1, 2)):
        raise SettingsError(f"--hours: {said!r} is none: write 'mon-fri 08:00-18:00'")
    first, last, *clock = match.groups()
    begin, end = (60 * int(clock[i]) + int(clock[i + 1]) for i in (0, 2))
    if not begin < end <= 24 * 60:
        raise SettingsError(f"--hours: {said!r} ends before it begins: give each day's hours alone")
    days = "-".join(day for day in (first, last) if day) or "*"
    return f"{_clock(begin)}-{_clock(end - 1)},{days},*,*"


def read_date(said: str) -> str:
    """`25 dec` or `24-26 dec` as GotoIfTime has it."""
    match = _DATE.fullmatch(said.lower())
    days = [int(day) for day in match.group(1, 2) if day] if match else []
    if match is None or match[3] not in _MONTHS or not 1 <= days[0] <= days[-1] <= 31:
        raise SettingsError(f"--closed: {said!r} is no date: write '25 dec' or '24-26 dec'")
    return f"*,*,{'-'.join(map(str, days))},{match[3]}"


def files(site: Site, folder: str) -> dict[str, str]:
    """Every file of the folder by its name; `folder` is how it is called below /etc/asterisk."""
    return {
        **house_files(folder),
        **dict(zip(SITE_FILES, (_globals(site), _site(site)), strict=True)),
    }


def house_files(folder: str) -> dict[str, str]:
    """Those that are the same at every site."""
    return {
        path.name: path.read_text(encoding="utf-8").replace(
            '#include "segue/', f'#include "{folder}/'
        )
        for path in sorted(DIALPLAN.glob("*.conf"))
        if path.name not in _NOT_FOR_SITES
    }


def include_lines(folder: str) -> str:
    """For extensions.conf, once the folder is written."""
    lines = ["[globals]", *(f'#include "{folder}/{n}"' for n in ("globals.conf", SITE_FILES[0]))]
    lines += ["", *(f'#include "{folder}/{name}"' for name in (*_ENTRIES, SITE_FILES[1]))]
    return "\n".join(lines) + "\n"


def snippet(site: Site, folder: str) -> str:
    """The same in one piece: to be put into extensions.conf beside a folder without site files."""
    ours = [f"{name} = {value}" for name, value in site.settings.items()]
    lines = [
        f"; Segue's part of extensions.conf, made by: {site.command}",
        f"; The files are in /etc/asterisk/{folder}: `segue dialplan --write` puts them there.",
        f"; In pjsip.conf the endpoint of the trunk has: context = {site.context}",
        "",
        "[globals]",
        f'#include "{folder}/globals.conf"',
        *ours,
        "",
        *(f'#include "{folder}/{name}"' for name in _ENTRIES),
    ]
    return "\n".join(lines) + "\n" + _numbers(site)


def _globals(site: Site) -> str:
    lines = [
        "; site-globals.conf -- the settings of this site that are not those of globals.conf.",
        ";",
        f"; Made by: {site.command}",
        "; Include it INSIDE the [globals] section of extensions.conf, behind globals.conf.",
        "",
        *(f"{name} = {value}" for name, value in site.settings.items()),
    ]
    return "\n".join(lines) + "\n"


def _site(site: Site) -> str:
    head = [
        "; site.conf -- the numbers of this site.",
        ";",
        f"; Made by: {site.command}",
        f"; In pjsip.conf the endpoint of the trunk has: context = {site.context}",
    ]
    return "\n".join(head) + "\n" + _numbers(site)


def _numbers(site: Site) -> str:
    if not site.dids:
        return ""
    lines = [
        "",
        "; Who comes in: calls from the trunk to one of our numbers; for any other it hears 404.",
        "",
        f"[{NUMBERS}]",
        *(f"exten = {did},1,Goto({site.entry.value},${{EXTEN}},1)" for did in site.dids),
    ]
    return "\n".join(lines) + "\n"


def _fits(form: re.Pattern[str], said: str, option: str, example: str) -> str:
    if not form.fullmatch(said):
        raise SettingsError(f"{option}: {said!r} cannot stand in a dialplan: give {example}")
    return said


def _address(said: str) -> str:
    match = _ADDRESS.fullmatch(said)
    if match is None or not 0 < int(match[1]) < 65536:
        raise SettingsError(f"--agi: {said!r} is no address: give host:port, such as 10.0.0.5:4573")
    return said


def _check_zone(zone: str) -> None:
    try:
        if zone:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"--zone: {zone!r} is no time zone: give one like Europe/Paris"
        ) from None


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def known(folder: Path) -> set[str]:
    """The .conf files that are in a folder."""
    return {path.name for path in folder.glob("*.conf")}
