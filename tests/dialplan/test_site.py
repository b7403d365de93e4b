"""What `segue dialplan` writes, as a real Asterisk reads it and a real phone meets it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asterisk.private import PrivateAsterisk
from tests.dialplan.sip import invite
from tests.support.pbx import Ami, eventually

OPTIONS = (
    *("--did", "+33123456789", "--did", "1000", "--entry", "to-segue"),
    *("--hours", "00:00-24:00", "--closed", "30 feb", "--zone", "Europe/Paris"),
    *("--queue", "nobody-here", "--nobody", "callback"),
)


def segue(*arguments: str) -> str:
    program = [sys.executable, "-m", "ari_app", "dialplan", *arguments]
    return subprocess.run(program, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def installed(asterisk_root: Path) -> Iterator[PrivateAsterisk]:
    """An Asterisk with the folder and the lines of a site in place of the private dialplan."""
    with PrivateAsterisk(asterisk_root) as pbx:
        etc = pbx.home / "etc"
        lines = segue(*OPTIONS, "--agi", pbx.agi, "--write", str(etc / "site"))
        (etc / "segue").unlink()
        (etc / "site").rename(etc / "segue")
        shutil.copy(etc / "extensions.conf", etc / "extensions.before")
        head = "[general]\nstatic = yes\nwriteprotect = yes\n\n"
        (etc / "extensions.conf").write_text(head + lines.replace('"site/', '"segue/'))
        for file in (etc / "segue").glob("*.conf"):
            file.write_text(file.read_text().replace('"site/', '"segue/'))
        trunk = etc / "pjsip.conf"
        trunk.write_text(trunk.read_text().replace("from-carrier", "segue-numbers"))
        pbx.log.write_text("")
        pbx.cli("core reload")
        eventually(
            lambda: (
                "segue-numbers" in pbx.cli("dialplan show segue-numbers")
                and "segue-numbers" in pbx.cli("pjsip show endpoint carrier")
            ),
            "the site is loaded",
        )
        yield pbx


def test_asterisk_complains_about_nothing(installed: PrivateAsterisk) -> None:
    lines = installed.log.read_text().splitlines()
    assert [line for line in lines if re.search(r"\b(WARNING|ERROR)\[", line)] == []
    shown = installed.cli("dialplan show globals")
    assert "SEGUE_QUEUE=nobody-here" in shown
    assert "SEGUE_HOURS=00:00-23:59,*,*,*,Europe/Paris" in shown
    assert "fake-people" not in installed.cli("dialplan show")


@pytest.mark.parametrize("did", ["+33123456789", "1000"])
def test_a_number_of_the_site_is_answered(installed: PrivateAsterisk, did: str) -> None:
    with Ami(installed) as ami:
        assert invite(installed.sip_port, did) == 200
        # No application and no queue: the site's own way out.
        ami.user_event("SegueAppDown")
        ami.user_event("SegueNobody")
        ami.user_event("SegueCallbackOffered")


@pytest.mark.parametrize("did", ["+33123456788", "1001", "s"])
def test_any_other_number_is_not_found(installed: PrivateAsterisk, did: str) -> None:
    assert invite(installed.sip_port, did) == 404


def test_the_snippet_alone_is_loaded_too(installed: PrivateAsterisk) -> None:
    etc = installed.home / "etc"
    head = "[general]\nstatic = yes\nwriteprotect = yes\n\n"
    (etc / "extensions.conf").write_text(head + segue(*OPTIONS))
    installed.log.write_text("")
    installed.cli("dialplan reload")
    eventually(
        lambda: "'+33123456789'" in installed.cli("dialplan show segue-numbers"), "it is loaded"
    )
    lines = installed.log.read_text().splitlines()
    assert [line for line in lines if re.search(r"\b(WARNING|ERROR)\[", line)] == []
