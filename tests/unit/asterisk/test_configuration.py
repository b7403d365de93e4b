from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from asterisk.configuration import DIALPLAN, TEMPLATES, render, write_home
from asterisk.private import AsteriskFailed, PrivateAsterisk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The least that looks like an unpacked Asterisk."""
    root = tmp_path / "root"
    for part in (
        "usr/sbin/asterisk",
        "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        "usr/lib/x86_64-linux-gnu/asterisk/modules/res_ari.so",
        "usr/share/asterisk/sounds/en_US_f_Allison/sorry.wav",
    ):
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        (root / part).touch()
    return root


def values_of(root: Path) -> dict[str, object]:
    pbx = PrivateAsterisk(root)
    try:
        return {**pbx._values(), "home": pbx.home, "modules": "/modules"}
    finally:
        pbx.close()


def test_no_placeholder_is_left_in_any_file(root: Path) -> None:
    files = render(values_of(root))
    assert set(files) == {path.name for path in TEMPLATES.glob("*.conf")}
    for name, text in files.items():
        assert "$" not in text, name


def test_a_placeholder_without_a_value_is_named(root: Path) -> None:
    values = values_of(root)
    del values["ari_password"]
    with pytest.raises(KeyError, match="ari_password"):
        render(values)


def test_no_value_is_given_that_no_file_wants(root: Path) -> None:
    wanted = {
        name
        for path in TEMPLATES.glob("*.conf")
        for name in re.findall(r"\$\{(\w+)\}", path.read_text())
    }
    assert set(values_of(root)) == wanted


def test_no_password_stands_in_the_repository() -> None:
    for path in (*TEMPLATES.glob("*.conf"), *DIALPLAN.glob("*.conf")):
        for value in re.findall(r"(?mi)^ *(?:password|secret) *=>? *(.*)$", path.read_text()):
            assert re.fullmatch(r"\$\{\w+\}", value), path


def test_every_instance_has_passwords_of_its_own(root: Path) -> None:
    one, other = values_of(root), values_of(root)
    secrets = [
        str(values[name])
        for values in (one, other)
        for name in ("ari_password", "ami_secret", "phone_password")
    ]
    assert len(set(secrets)) == 6
    assert min(map(len, secrets)) >= 32


def test_only_the_owner_may_read_what_holds_passwords(root: Path, tmp_path: Path) -> None:
    write_home(tmp_path / "home", root, values_of(root))
    for path in (tmp_path / "home/etc").glob("*.conf"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_home_may_be_written_again_over_an_old_one(root: Path, tmp_path: Path) -> None:
    values = values_of(root)
    write_home(tmp_path / "home", root, values)
    write_home(tmp_path / "home", root, {**values, "ari_port": 14321})
    assert "bindport = 14321" in (tmp_path / "home/etc/http.conf").read_text()
    assert (tmp_path / "home/etc/segue").resolve() == DIALPLAN


def test_every_dialplan_file_is_included() -> None:
    files = [TEMPLATES / "extensions.conf", *DIALPLAN.glob("*.conf")]
    said = "\n".join(path.read_text() for path in files)
    included = re.findall(r'^#include "segue/(.*)"', said, re.MULTILINE)
    assert sorted(included) == sorted(path.name for path in DIALPLAN.glob("*.conf"))


def test_a_home_with_a_name_too_long_for_the_console_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(AsteriskFailed, match="too long a name"):
        PrivateAsterisk(root, home=tmp_path / ("x" * 100))


def test_a_temporary_folder_with_a_long_name_is_passed_over(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    pbx = PrivateAsterisk(root)
    try:
        assert not pbx.home.is_relative_to(long)
    finally:
        pbx.close()
    assert not pbx.home.exists()


def test_a_home_that_was_given_is_kept(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    PrivateAsterisk(root, home=home).close()
    assert home.exists()
