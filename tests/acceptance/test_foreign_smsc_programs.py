"""The foreign SMSCs themselves: how they come onto a machine, and that they can be relied on."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from asterisk.fetch import ProgramMissing
from tests.support.foreign import npm, smsc_c
from tests.support.foreign.cached import made_once
from tests.support.foreign.home import Home
from tests.support.foreign.smsc import ForeignSmsc, SmscFailed
from tests.support.foreign.smsc_node import PACKAGE, NodeSmsc
from tests.support.wait import PATIENCE


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/segue/foreign"


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder of the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("SEGUE_NODE", raising=False)
    monkeypatch.delenv("SEGUE_CC", raising=False)
    return folder


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


# -- npm --------------------------------------------------------------------------------------


def test_the_package_is_of_the_pinned_version(node_smsc: type[NodeSmsc]) -> None:
    about = npm.installed(*PACKAGE) / "node_modules/smpp/package.json"
    assert json.loads(about.read_text())["version"] == "0.5.1"


def test_a_machine_that_has_the_package_needs_no_npm(node_smsc: type[NodeSmsc], only: Path) -> None:
    tool(only, "node", "true")
    assert npm.can_have(*PACKAGE)
    assert npm.installed(*PACKAGE).is_dir()


def test_without_npm_one_sentence_says_what_to_do(empty_cache: Path, only: Path) -> None:
    tool(only, "node", "true")
    assert not npm.can_have(*PACKAGE)
    with pytest.raises(ProgramMissing, match=r"^npm is not on this machine, .*install node"):
        npm.installed(*PACKAGE)


def test_without_node_one_sentence_says_what_to_do(only: Path) -> None:
    assert not npm.can_have(*PACKAGE)
    with pytest.raises(ProgramMissing, match=r"^Node\.js is not on this machine: install node"):
        npm.node()


def test_a_failure_of_npm_is_told_in_its_own_words(empty_cache: Path, only: Path) -> None:
    tool(only, "npm", 'echo "npm warn old" >&2; echo "npm error code ENOTFOUND" >&2; exit 1')
    with pytest.raises(ProgramMissing, match=r"could not install smpp 0\.5\.1 \(ENOTFOUND\)"):
        npm.installed(*PACKAGE)
    assert [path.name for path in empty_cache.iterdir()] == ["npm-smpp-0.5.1.lock"]


def test_a_package_without_a_pinned_hash_is_not_installed() -> None:
    with pytest.raises(ProgramMissing, match="not pinned"):
        npm.installed("smpp", "0.5.0")


@pytest.fixture
def forger() -> Iterator[str]:
    """A registry that gives every package the right name and other octets."""
    octets = BytesIO()
    with tarfile.open(fileobj=octets, mode="w:gz") as archive:
        about = json.dumps({"name": "smpp", "version": "0.5.1"}).encode()
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(about)
        archive.addfile(entry, BytesIO(about))

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").partition("/-/")[0]
            version = {"iconv-lite": "0.7.3", "safer-buffer": "2.1.2"}.get(name, "0.5.1")
            body = octets.getvalue()
            if not self.path.endswith(".tgz"):
                address = f"{url}/{name}/-/{name}-{version}.tgz"
                dist = {"tarball": address, "shasum": hashlib.sha1(body).hexdigest()}
                one = {"name": name, "version": version, "dist": dist}
                about = {"name": name, "dist-tags": {}, "versions": {version: one}}
                body = json.dumps(about).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_package_with_other_octets_is_refused(
    node_smsc: type[NodeSmsc],
    forger: str,
    empty_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("npm_config_registry", forger)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(ProgramMissing, match=r"\(EINTEGRITY\)"):
        npm.installed(*PACKAGE)
    assert [path.name for path in empty_cache.iterdir()] == ["npm-smpp-0.5.1.lock"]


# -- what is made once ------------------------------------------------------------------------


def test_of_many_who_ask_at_once_one_makes_it(empty_cache: Path) -> None:
    made: list[Path] = []
    barrier = threading.Barrier(8)

    def make(work: Path) -> None:
        made.append(work)
        (work / "thing").touch()

    def ask(_: int) -> Path:
        barrier.wait()
        return made_once("it", make)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, range(8)))
    assert found == {empty_cache / "it"}
    assert len(made) == 1
    assert (empty_cache / "it/thing").exists()


def test_what_could_not_be_made_is_tried_again(empty_cache: Path) -> None:
    def breaks(work: Path) -> None:
        (work / "half").touch()
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        made_once("it", breaks)
    made_once("it", lambda work: (work / "whole").touch())
    assert [path.name for path in (empty_cache / "it").iterdir()] == ["whole"]
    assert not list(empty_cache.glob(".it.*"))


# -- the programs -----------------------------------------------------------------------------


class Broken(ForeignSmsc):
    kind = "broken"

    def _command(self, conduct: str) -> tuple[Sequence[str | Path], dict[str, str]]:
        return ("/bin/sh", "-c", "echo no such module; exit 3"), {}


async def test_a_program_that_ends_at_once_is_told_with_its_last_words() -> None:
    smsc = Broken()
    with pytest.raises(SmscFailed, match="broken ended at once: no such module"):
        async with smsc:
            pass
    assert not smsc.home.exists()


async def test_a_report_that_never_comes_is_told_with_those_that_did(
    node_smsc: type[NodeSmsc], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.foreign.smsc.PATIENCE", 5.0)
    async with node_smsc() as smsc:
        monkeypatch.setattr("tests.support.foreign.smsc.PATIENCE", 0.05)
        with pytest.raises(SmscFailed, match="0 and not 1 times 'bind', among .'listening'"):
            await smsc.told("bind")


def test_no_program_outlives_who_started_it(node_smsc: type[NodeSmsc]) -> None:
    script = (
        "import asyncio, sys\n"
        "from tests.support.foreign.smsc_node import NodeSmsc\n"
        "async def main():\n"
        "    async with NodeSmsc() as smsc:\n"
        "        print(smsc.pid, smsc.home, flush=True)\n"
        "        sys.stdin.read()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as parent:
        assert parent.stdout is not None
        pid, home = parent.stdout.readline().split()
        assert _lives(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + PATIENCE
    while _lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    Home("smsc-node").remove()  # whoever comes next removes what it has left
    assert not Path(home).exists()


def _lives(pid: str) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


# -- the compiler -----------------------------------------------------------------------------


def test_without_a_compiler_one_sentence_says_what_to_do(empty_cache: Path, only: Path) -> None:
    assert not smsc_c.can_have_one()
    with pytest.raises(ProgramMissing, match="No C compiler is on this machine"):
        smsc_c.built()


def test_a_compiler_that_cannot_is_told_in_its_own_words(empty_cache: Path, only: Path) -> None:
    tool(only, "cc", "echo no stdio.h >&2; exit 1")
    with pytest.raises(ProgramMissing, match=r"\(no stdio\.h\)"):
        smsc_c.built()
