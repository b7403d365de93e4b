from __future__ import annotations

import errno
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from asterisk import fetch
from asterisk.configuration import command_of
from asterisk.fetch import (
    AsteriskMissing,
    ProgramMissing,
    Wanted,
    cached_root,
    find_old_root,
    find_root,
    missing_parts,
    unpacked,
)

PARTS = (
    "usr/sbin/asterisk",
    "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "usr/lib/x86_64-linux-gnu/asterisk/modules/res_ari.so",
    "usr/lib/x86_64-linux-gnu/asterisk/modules/chan_pjsip.so",
    "usr/share/asterisk/documentation/core-en_US.xml",
    "usr/share/asterisk/sounds/en_US_f_Allison/sorry.wav",
)
DEB = "asterisk_1%3a22.10.1+dfsg-1_amd64.deb"


def complete(root: Path) -> Path:
    for part in PARTS:
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        (root / part).touch()
    return root


class Machine:
    """A machine with an empty cache, whose Debian tools are scripts of ours."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "calls"
        self.package = folder / "package.tar"
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        for name in ("SEGUE_ASTERISK_ROOT", "SEGUE_DEBIAN_MIRROR"):
            monkeypatch.delenv(name, raising=False)
        keyring = folder / "keyring.gpg"
        keyring.touch()
        monkeypatch.setattr(fetch, "_KEYRING", keyring)
        monkeypatch.setattr(fetch, "_PAUSE", 0)

        with tarfile.open(self.package, "w") as archive:
            archive.add(complete(folder / "tree"), arcname=".")
        self.tool("dpkg", "echo amd64")
        self.tool("apt-config", "")
        self.tool("dpkg-deb", f'cat "{self.package}"')
        self.apt()

    def tool(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def apt(self, *, before: str = "") -> None:
        """An apt-get that notes its calls and downloads one package."""
        self.tool(
            "apt-get",
            f"""\
echo "$@" >> {self.calls}
{before}
folder=$(sed -n 's/^Dir::Cache "\\(.*\\)";$/\\1/p' "$APT_CONFIG")
case "$*" in *install*) touch "$folder/archives/{DEB}";; esac""",
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


# -- a copy that is there ---------------------------------------------------------------------


def test_a_root_that_is_named_is_taken(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = complete(tmp_path / "mine")
    monkeypatch.setenv("SEGUE_ASTERISK_ROOT", str(root))
    assert find_root() == root
    assert not machine.calls.exists()


def test_a_root_that_is_named_must_be_complete(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = complete(tmp_path / "mine")
    (root / "usr/sbin/asterisk").unlink()
    monkeypatch.setenv("SEGUE_ASTERISK_ROOT", str(root))
    with pytest.raises(AsteriskMissing, match="usr/sbin/asterisk is missing"):
        find_root()
    assert not machine.calls.exists()


def test_a_copy_in_the_cache_needs_no_tools(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = complete(cached_root())
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_root() == root


@pytest.mark.parametrize("value", ["", "relative/cache"])
def test_a_cache_that_is_no_absolute_path_is_ignored(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cached_root().is_relative_to(Path.home() / ".cache")


# -- a copy that is made ----------------------------------------------------------------------


def test_the_copy_is_made_once_and_kept(machine: Machine) -> None:
    said: list[str] = []
    root = find_root(said.append)
    assert missing_parts(root) == []
    assert (root / "PACKAGES").read_text() == "asterisk 1:22.10.1+dfsg-1\n"
    assert said
    calls = machine.calls.read_text()
    assert find_root() == root
    assert machine.calls.read_text() == calls


def test_nothing_but_the_copy_and_its_lock_is_left(machine: Machine) -> None:
    root = find_root()
    assert {path.name for path in root.parent.iterdir()} == {root.name, f"{root.name}.lock"}


def test_several_processes_that_ask_at_once_fetch_once(machine: Machine) -> None:
    machine.apt(before="sleep 0.2")
    code = f"""\
from pathlib import Path
from asterisk import fetch
fetch._KEYRING = Path({str(fetch._KEYRING)!r})
print(fetch.find_root())"""
    crowd = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = {process.communicate(timeout=30)[0] for process in crowd}
    assert answers == {f"{cached_root()}\n"}
    assert machine.calls.read_text().count("install") == 1


def test_what_a_killed_process_left_is_swept_and_made_again(machine: Machine) -> None:
    target = cached_root()
    left_over = target.parent / f".{target.name}.killed"
    complete(left_over / "root")
    (target / "usr").mkdir(parents=True)  # a copy that is not whole
    assert missing_parts(find_root()) == []
    assert not left_over.exists()


def test_the_state_of_the_machine_is_never_touched(machine: Machine, tmp_path: Path) -> None:
    machine.apt(before=f'cp "$APT_CONFIG" {tmp_path}/seen.conf')
    machine.tool("apt-config", "echo 'Acquire::http::Proxy \"http://proxy:3128\";'")
    find_root()
    seen = (tmp_path / "seen.conf").read_text()
    ours = f"{cached_root().parent}/."
    for setting in ("Dir::Etc", "Dir::State", "Dir::State::status", "Dir::Cache", "Dir::Log"):
        assert f'\n{setting} "{ours}' in f"\n{seen}"
    assert 'Acquire::Check-Valid-Until "false";' in seen
    assert 'APT::Sandbox::User "";' in seen
    assert 'Acquire::http::Proxy "http://proxy:3128";' in seen
    assert "AllowUnauthenticated" not in seen


@pytest.mark.parametrize(
    ("name", "text", "mirror"),
    [
        (
            "debian.sources",
            "Types: deb\nURIs: http://near.example/debian/\nSuites: bookworm\n",
            "http://near.example/debian",
        ),
        (
            "old.list",
            "deb [arch=amd64] https://near.example/debian bookworm main\n",
            "https://near.example/debian",
        ),
        # Neither of these is the archive itself.
        (
            "security.sources",
            "URIs: http://near.example/debian-security\n",
            "http://deb.debian.org/debian",
        ),
        ("node.list", "deb https://deb.nodesource.com/node_20.x nodistro main\n", None),
        ("debian.sources.bak", "URIs: http://gone.example/debian\n", None),
    ],
)
def test_the_mirror_of_the_machine_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, mirror: str | None
) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / name).write_text(text)
    monkeypatch.setattr(fetch, "_SOURCES", tmp_path)
    assert fetch._mirror_of_this_machine() == (mirror or "http://deb.debian.org/debian")


# -- what may go wrong ------------------------------------------------------------------------


def test_a_mirror_that_fails_once_is_asked_again(machine: Machine, tmp_path: Path) -> None:
    machine.apt(
        before=f"""\
if [ ! -e {tmp_path}/failed ]; then
    touch {tmp_path}/failed; echo "E: Hash Sum mismatch" >&2; exit 100
fi"""
    )
    said: list[str] = []
    assert missing_parts(find_root(said.append)) == []
    assert any("Hash Sum mismatch" in line for line in said)


def test_a_mirror_that_cannot_be_reached_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_DEBIAN_MIRROR", "http://nowhere.example/debian")
    machine.apt(before='echo "E: Could not resolve nowhere.example" >&2; exit 100')
    with pytest.raises(AsteriskMissing) as caught:
        find_root()
    sentence = str(caught.value)
    assert "http://nowhere.example/debian" in sentence
    assert "Could not resolve" in sentence
    assert "SEGUE_ASTERISK_ROOT" in sentence
    assert machine.calls.read_text().count("update") == 2
    assert not cached_root().exists()


def test_a_machine_without_the_tools_of_debian_is_told_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(AsteriskMissing, match="set SEGUE_ASTERISK_ROOT"):
        find_root()


def test_a_machine_without_the_keys_of_debian_is_told_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_KEYRING", Path("/nonexistent.gpg"))
    with pytest.raises(AsteriskMissing, match="install debian-archive-keyring"):
        find_root()


def test_a_disk_without_room_is_told_before_fetching(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_SPACE", 10**18)
    with pytest.raises(AsteriskMissing, match="is full"):
        find_root()
    assert not machine.calls.exists()


@pytest.mark.parametrize("tool", ["apt-get", "tar"])
def test_a_disk_that_fills_up_on_the_way_is_told(machine: Machine, tool: str) -> None:
    machine.tool(tool, 'cat > /dev/null; echo "tar: No space left on device" >&2; exit 2')
    with pytest.raises(AsteriskMissing, match="is full"):
        find_root()
    assert not cached_root().exists()


def test_a_folder_that_may_not_be_written_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refused)  # by name, for root may write anywhere
    with pytest.raises(AsteriskMissing, match="Permission denied.*XDG_CACHE_HOME"):
        find_root()


def test_a_damaged_package_is_told_and_nothing_is_kept(machine: Machine) -> None:
    machine.tool("dpkg-deb", "echo rubbish")
    with pytest.raises(AsteriskMissing, match="could not be unpacked"):
        find_root()
    assert not cached_root().exists()


def test_packages_that_no_longer_hold_a_part_are_refused(machine: Machine, tmp_path: Path) -> None:
    with tarfile.open(machine.package, "w") as archive:
        archive.add(tmp_path / "tree/usr/share", arcname="./usr/share")
    with pytest.raises(AsteriskMissing, match="no longer hold usr/sbin/asterisk"):
        find_root()


# -- other programs ---------------------------------------------------------------------------


def wanted(*, alone: bool = False, left_out: tuple[str, ...] = ()) -> Wanted:
    return Wanted(
        name="Something",
        suite="bookworm",
        packages=("something",),
        parts=PARTS[:1],
        download="little",
        space=1,
        instead="do without",
        alone=alone,
        left_out=left_out,
    )


def test_another_program_comes_the_same_way(machine: Machine, tmp_path: Path) -> None:
    machine.apt(before=f"cp {tmp_path}/cache/.root.*/sources.list {tmp_path}/seen.list")
    root = tmp_path / "cache/root"
    assert unpacked(wanted(), root) == root
    assert " bookworm main" in (tmp_path / "seen.list").read_text()
    assert "install something" in machine.calls.read_text()


def test_a_program_that_is_wanted_alone_comes_without_its_dependencies(
    machine: Machine, tmp_path: Path
) -> None:
    machine.tool("apt-get", f'echo "$@" >> {machine.calls}; touch "{DEB}"')  # where it is started
    unpacked(wanted(alone=True), tmp_path / "cache/root")
    assert "download something" in machine.calls.read_text()
    assert "install" not in machine.calls.read_text()


def test_a_package_that_is_left_out_is_not_unpacked(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing, match="Something packages no longer hold.*do without"):
        unpacked(wanted(left_out=("aster*",)), tmp_path / "cache/root")


# -- an old Asterisk --------------------------------------------------------------------------


def test_an_old_asterisk_is_unpacked_as_the_packages_of_today_are(machine: Machine) -> None:
    tree = machine.package.parent / "old"
    for part in (
        "usr/sbin/asterisk",
        "lib/x86_64-linux-gnu/ld-2.31.so",
        "usr/lib/x86_64-linux-gnu/libexample.so",
        "usr/lib/libasteriskpj.so.2",
        "usr/lib/asterisk/modules/res_ari.so",
        "usr/lib/asterisk/modules/chan_pjsip.so",
        "usr/share/asterisk/documentation/core-en_US.xml",
        "usr/share/asterisk/sounds/en_US_f_Allison/sorry.wav",
    ):
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        (tree / part).touch()
    with tarfile.open(machine.package, "w") as archive:
        archive.add(tree, arcname=".")
    root = find_old_root()
    assert root.name.startswith("bullseye-")
    assert missing_parts(root) == []
    assert (root / "usr/lib/x86_64-linux-gnu/libasteriskpj.so.2").exists()
    assert "--argv0" not in command_of(root)


def test_an_old_asterisk_can_be_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    root = complete(machine.bin / "mine")
    monkeypatch.setenv("SEGUE_OLD_ASTERISK_ROOT", str(root))
    assert find_old_root() == root
    monkeypatch.setenv("SEGUE_OLD_ASTERISK_ROOT", str(machine.bin))
    with pytest.raises(AsteriskMissing, match="SEGUE_OLD_ASTERISK_ROOT="):
        find_old_root()
