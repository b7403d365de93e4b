from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from asterisk import configuration
from asterisk.private import AsteriskFailed, PrivateAsterisk
from tests.support.pbx import Ami, eventually

EPHEMERAL = 32768


def runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(") ")[2][0] != "Z"


def test_it_answers_on_every_port_it_names(pbx: PrivateAsterisk) -> None:
    assert pbx.ari_url == f"http://127.0.0.1:{pbx.ari_port}/ari"
    with urllib.request.urlopen(
        f"{pbx.ari_url}/asterisk/info?api_key={pbx.ari_user}:{pbx.ari_password}"
    ) as answer:
        assert answer.status == 200
    with Ami(pbx) as ami:
        assert ami.action("Ping")["Response"] == "Success"
    assert f"127.0.0.1:{pbx.sip_port}" in pbx.cli("pjsip show transports")
    assert "Asterisk 22." in pbx.cli("core show version")
    assert pbx.rss_kib() > 10_000


def test_every_port_is_below_those_of_outgoing_connections(pbx: PrivateAsterisk) -> None:
    assert max(*pbx.rtp_ports, *pbx.app_ports, pbx.ari_port, pbx.sip_port) < EPHEMERAL
    assert pbx.cli("rtp show settings").split("Port start:")[1].split()[0] == str(
        pbx.rtp_ports.start
    )


def test_the_ami_user_may_watch_and_redirect_but_not_reconfigure(pbx: PrivateAsterisk) -> None:
    with Ami(pbx) as ami:
        assert ami.action("QueueSummary")["Response"] == "Success"
        assert "permission" not in ami.action("Redirect", Channel="none")["Message"].lower()
        for action in ("Command", "Reload", "Originate", "UpdateConfig"):
            assert ami.action(action)["Message"] == "Permission denied"


def test_two_run_side_by_side_and_know_nothing_of_each_other(
    pbx: PrivateAsterisk, asterisk_root: Path
) -> None:
    with PrivateAsterisk(asterisk_root) as other:
        assert other.home != pbx.home
        assert other.ari_password != pbx.ari_password
        assert f"127.0.0.1:{other.sip_port}" in other.cli("pjsip show transports")
        home = other.home
    assert not home.exists()
    assert pbx.cli("core show uptime")


def test_it_comes_up_again_as_the_same_instance(asterisk_root: Path) -> None:
    pbx = PrivateAsterisk(asterisk_root)
    try:
        pbx.start()
        first, url, password = pbx.pid, pbx.ari_url, pbx.ari_password
        pbx.kill()
        with pytest.raises(AsteriskFailed, match="does not run"):
            pbx.cli("core show uptime")
        pbx.start()
        assert (pbx.ari_url, pbx.ari_password) == (url, password)
        assert pbx.pid != first
        pbx.stop()
        pbx.stop()
        assert not runs(first)
    finally:
        pbx.close()


def test_it_ends_with_a_parent_that_is_killed(asterisk_root: Path) -> None:
    code = f"""\
from pathlib import Path
from asterisk.private import PrivateAsterisk
pbx = PrivateAsterisk(Path({str(asterisk_root)!r}))
pbx.start()
print(pbx.pid, pbx.home, flush=True)
input()"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, home = parent.stdout.readline().split()
        assert runs(int(pid))
        parent.kill()
    eventually(lambda: not runs(int(pid)), "Asterisk ends with its parent")
    subprocess.run(["rm", "-r", home], check=True)


def test_it_may_not_be_started_from_a_thread_that_ends(asterisk_root: Path) -> None:
    pbx = PrivateAsterisk(asterisk_root)
    caught: list[BaseException] = []

    def start() -> None:
        try:
            pbx.start()
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    pbx.close()
    assert "use the main one" in str(caught[0])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sip_port", socket.SOCK_DGRAM),
        ("ami_port", socket.SOCK_STREAM),
        ("ari_port", socket.SOCK_STREAM),
    ],
)
def test_a_port_that_a_stranger_took_meanwhile_fails_the_start(
    asterisk_root: Path, name: str, kind: socket.SocketKind
) -> None:
    pbx = PrivateAsterisk(asterisk_root)
    port = getattr(pbx, name)
    try:
        with socket.socket(socket.AF_INET, kind) as stranger:
            if kind is socket.SOCK_STREAM:
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind(("127.0.0.1", port))
            if kind is socket.SOCK_STREAM:
                stranger.listen()
            with pytest.raises(AsteriskFailed, match="did not get port|not ready in time"):
                pbx.start(timeout=3)
        pbx.start()  # and nothing of the failure is left
    finally:
        pbx.close()


def test_a_configuration_that_stops_asterisk_says_so(
    asterisk_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = configuration.render

    def broken(values: dict[str, object]) -> dict[str, str]:
        files = real(values)
        files["modules.conf"] += "require = res_that_is_not_there.so\n"
        return files

    monkeypatch.setattr(configuration, "render", broken)
    pbx = PrivateAsterisk(asterisk_root)
    try:
        with pytest.raises(AsteriskFailed, match="ended while starting"):
            pbx.start()
    finally:
        pbx.close()


def test_a_terminal_interrupt_is_not_for_asterisk(pbx: PrivateAsterisk) -> None:
    assert os.getpgid(pbx.pid) != os.getpgid(os.getpid())
