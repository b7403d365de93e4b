"""The files as Asterisk reads them: nothing refused, nothing out of reach, nothing undefined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from asterisk.configuration import DIALPLAN, TEMPLATES
from asterisk.private import PrivateAsterisk

# Where calls begin without any Goto of ours.
ENTRIES = {
    "from-carrier",  # the trunk, pjsip.conf
    "from-people",  # the softphone, pjsip.conf
    "fake-people",  # the member of the queue, queues.conf
    "text-if-allowed",  # the example, from a site's own contexts
    "by-hours",  # from a site's own contexts
    "static-menu",  # the same
    "open-conversation",  # asked by a site's own contexts, as are
    "send-text",
    "eligibility",
    "fake-site",  # tests
}


@pytest.fixture(scope="module")
def fresh(asterisk_root: Path) -> Iterator[PrivateAsterisk]:
    """One to which nothing has happened but loading."""
    with PrivateAsterisk(asterisk_root) as fresh:
        yield fresh


def steps() -> list[tuple[str, str]]:
    """Context and text of every line of the dialplan that does something."""
    found = []
    for file in sorted(DIALPLAN.glob("*.conf")):
        context = ""
        for line in file.read_text().splitlines():
            if header := re.match(r"\[([\w-]+)\]", line):
                context = header[1]
            elif re.match(r"\s*(exten|same|include) *=", line):
                found.append((context, line))
    return found


def targets(line: str) -> list[str]:
    """`context,extension,priority` of every Goto, GotoIf and Gosub that leaves its context."""
    jump = re.search(r"(?:Goto|GotoIf|Gosub)\((.*)\)", line)
    return re.findall(r"([a-z][a-z-]+,[^,?:()]+,\w+)", jump[1]) if jump else []


def included(text: str) -> set[str]:
    """The files of ours that a file includes."""
    return set(re.findall(r'(?m)^#include "segue/(\S+)"', text))


def test_asterisk_complains_about_nothing_while_loading(fresh: PrivateAsterisk) -> None:
    fresh.cli("core reload")
    lines = fresh.log.read_text().splitlines()
    assert [line for line in lines if re.search(r"\b(WARNING|ERROR)\[", line)] == []


def test_every_module_that_is_named_runs(fresh: PrivateAsterisk) -> None:
    text = (TEMPLATES / "modules.conf").read_text()
    named = re.findall(r"(?m)^(?:pre)?(?:load|require) = (\S+)", text)
    shown = fresh.cli("module show")
    running = set(re.findall(r"(?m)^(\S+\.so) .* Running ", shown))
    assert set(named) <= running
    assert len(named) == len(set(named))


def test_every_context_of_the_files_is_loaded(fresh: PrivateAsterisk) -> None:
    shown = fresh.cli("dialplan show")
    for context in {context for context, _ in steps()}:
        assert f"[ Context '{context}' created by 'pbx_config' ]" in shown


def test_every_context_can_be_reached() -> None:
    ways = {
        (context, target.split(",")[0]) for context, line in steps() for target in targets(line)
    }
    reached, last = set(ENTRIES), set[str]()
    while reached != last:
        last = set(reached)
        reached |= {there for here, there in ways if here in last}
    assert {context for context, _ in steps()} == reached


def test_every_file_is_included_once() -> None:
    ours = {path.name: included(path.read_text()) for path in DIALPLAN.glob("*.conf")}
    first = included((TEMPLATES / "extensions.conf").read_text())
    inner = [name for names in ours.values() for name in names]
    assert sorted([*first, *inner]) == sorted(ours)


def test_no_pattern_takes_whatever_comes() -> None:
    for file in DIALPLAN.glob("*.conf"):
        patterns = re.findall(r"(?m)^exten *= *(_[^,]+),", file.read_text())
        assert [p for p in patterns if p.endswith(".")] == [], file.name


def test_every_context_says_who_comes_in() -> None:
    for file in DIALPLAN.glob("*.conf"):
        text = file.read_text()
        contexts = re.findall(r"(?m)^\[[\w-]+\]", text)
        assert len(re.findall(r"(?m)^; Who comes in:", text)) >= bool(contexts), file.name


def test_the_entries_are_named_in_the_configuration() -> None:
    pjsip = (TEMPLATES / "pjsip.conf").read_text()
    assert set(re.findall(r"(?m)^context = (\S+)", pjsip)) == {"from-carrier", "from-people"}


def test_every_jump_leads_to_a_step_that_exists(fresh: PrivateAsterisk) -> None:
    jumps = {target for _, line in steps() for target in targets(line)}
    assert jumps
    for jump in jumps:
        context, extension, priority = re.sub(r"\$\{\w+\}", "1000", jump).split(",")
        shown = fresh.cli(f"dialplan show {extension}@{context}")
        assert re.search(rf" {priority}\. |\[{priority}\]", shown), jump


def test_every_setting_that_is_used_has_a_value(fresh: PrivateAsterisk) -> None:
    defined = set(re.findall(r"(?m)^(SEGUE_\w+) = .", (DIALPLAN / "globals.conf").read_text()))
    shown = fresh.cli("dialplan show globals")
    assert defined == set(re.findall(r"(?m)^ *(SEGUE_\w+)=.", shown))
    set_on_the_way = {
        *("SEGUE_BRIEF", "SEGUE_CONVERSATION", "SEGUE_EXIT"),  # by the application
        *("SEGUE_HANDOFF", "SEGUE_TOPIC"),  # by it, or by a site
        *(name for _, line in steps() for name in re.findall(r"Set\(_*(SEGUE_\w+)=", line)),
    }
    used = {name for _, line in steps() for name in re.findall(r"\$\{(SEGUE_\w+)", line)}
    assert used - set_on_the_way <= defined
    assert defined <= used  # a setting that nothing reads would deceive an admin


def test_every_recording_that_is_played_is_in_the_package(asterisk_root: Path) -> None:
    text = (DIALPLAN / "globals.conf").read_text()
    said = [name for line in re.findall(r"SEGUE_SAY_\w+ = (\S+)", text) for name in line.split("&")]
    assert "digits/1" in said
    said += re.findall(r"Playback\((\w[\w-]*)\)", (DIALPLAN / "test.conf").read_text())
    assert said
    for name in said:
        assert list(asterisk_root.glob(f"usr/share/asterisk/sounds/en*/{name}.wav")), name
