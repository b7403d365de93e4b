"""What is wrong at the start is said in one sentence, and nothing is left half-started."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from asterisk.private import PrivateAsterisk
from smpp.simulator import Smsc

_PATIENCE = 60.0


@dataclass
class Site:
    """Settings that would start, one section at a time, until a test spoils one."""

    folder: Path
    sections: dict[str, dict[str, object]] = field(default_factory=dict)

    def secret(self, name: str, value: str) -> str:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(value)
        return str(path)

    def spoil(self, section: str, **values: object) -> None:
        self.sections.setdefault(section, {}).update(values)

    @property
    def config(self) -> Path:
        lines = []
        for name, values in self.sections.items():
            lines.append(f"[{name}]")
            lines += [
                f"{k} = {v}" if isinstance(v, int | float) else f'{k} = "{v}"'
                for k, v in values.items()
            ]
        path = self.folder / "segue.toml"
        path.write_text("\n".join(lines))
        return path

    async def start(self) -> tuple[int, str]:
        """The exit status of `segue run`, and the sentence on its last line."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ari_app", "run", "--config", str(self.config)),
            *("--ready", str(self.folder / "ready")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                output, _ = await process.communicate()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode is not None
        with pytest.raises(ProcessLookupError):  # no worker, no voice is left of its group
            os.killpg(process.pid, 0)
        assert not (self.folder / "ready").exists()
        said = output.decode().strip().splitlines()
        sentences = [line for line in said if line.startswith("segue: ")]
        assert len(sentences) == 1, output.decode()
        assert "Traceback" not in output.decode()
        return process.returncode, sentences[0]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.spoil("store", path=tmp_path / "segue.db")
    site.spoil("pbx", password_file=site.secret("ari", "x"), url="http://127.0.0.1:9/ari")
    site.spoil("agi", port=0)
    return site


@pytest.fixture
def taken_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        yield taken.getsockname()[1]


@contextmanager
def even_port_taken() -> Iterator[int]:
    """As RTP wants it: the odd ones are for RTCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port: int = taken.getsockname()[1]
            if port % 2 == 0:
                yield port
                return


async def test_an_unknown_setting_is_named_with_the_one_that_was_meant(site: Site) -> None:
    site.spoil("pbx", urll="http://127.0.0.1")
    status, sentence = await site.start()
    assert status == 2
    assert "urll; did you mean `url`?" in sentence


async def test_a_missing_settings_file_is_named(site: Site) -> None:
    path = site.folder / "nowhere.toml"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ari_app", "run", "--config", str(path)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode().strip() == f"segue: there is no settings file {path}"


async def test_no_ari_password_says_where_it_goes(site: Site) -> None:
    del site.sections["pbx"]["password_file"]
    status, sentence = await site.start()
    assert (status, "[pbx] password_file" in sentence) == (2, True)


async def test_a_password_that_everybody_can_read_is_refused(site: Site) -> None:
    (site.folder / "ari").chmod(0o644)
    status, sentence = await site.start()
    assert (status, "chmod 600" in sentence) == (2, True)


async def test_a_bundle_that_is_wrong_is_named_with_the_place(site: Site) -> None:
    bundle = site.folder / "bundle.yaml"
    bundle.write_text("bundle: x\nlanguge: en\n")
    site.spoil("policy", bundle=bundle)
    status, sentence = await site.start()
    assert (status, "languge" in sentence) == (2, True)


async def test_a_missing_model_says_which_setting_to_change(site: Site) -> None:
    site.spoil("speech", model_path=site.folder / "no-model")
    status, sentence = await site.start()
    assert (status, "speech.model_path" in sentence) == (1, True)


async def test_a_model_of_an_odd_rate_is_an_error_and_never_silence(site: Site) -> None:
    import shutil

    from ari_app.speech.model import mini_model_path

    odd = site.folder / "odd"
    shutil.copytree(mini_model_path(), odd)
    (odd / "SHA256SUMS").unlink()
    conf = odd / "conf/mfcc.conf"
    conf.write_text(conf.read_text().replace("8000", "11025"))
    site.spoil("speech", model_path=odd)
    status, sentence = await site.start()
    assert (status, "11025" in sentence) == (1, True)


async def test_a_locked_database_says_who_to_look_for(site: Site) -> None:
    with closing(sqlite3.connect(site.folder / "segue.db", isolation_level=None)) as other:
        other.execute("create table meta (key text primary key, value text)")
        other.execute("insert into meta values ('schema', '2')")
        other.execute("begin exclusive")
        status, sentence = await site.start()
    assert (status, "another program holds it" in sentence) == (1, True)


async def test_a_database_path_that_cannot_be_one_is_named(site: Site) -> None:
    (site.folder / "file").write_text("")
    site.spoil("store", path=site.folder / "file" / "segue.db")
    status, sentence = await site.start()
    assert (status, str(site.folder / "file") in sentence) == (1, True)


@pytest.mark.vosk
async def test_a_carrier_that_refuses_the_bind_ends_the_start(site: Site) -> None:
    smsc = Smsc(accounts={"acme": "right"})
    await smsc.start()
    try:
        site.spoil("sms", host="127.0.0.1", port=smsc.port, system_id="acme", source="+15550199")
        site.spoil("sms", password_file=site.secret("bind", "wrong"))
        status, sentence = await site.start()
    finally:
        await smsc.aclose()
    assert status == 1
    assert "refuse" in sentence
    assert "wrong" not in sentence


@pytest.mark.vosk
async def test_a_fastagi_port_that_is_taken_is_named(site: Site, taken_port: int) -> None:
    site.spoil("agi", port=taken_port)
    status, sentence = await site.start()
    assert (status, f"[agi] port: cannot listen on 127.0.0.1:{taken_port}" in sentence) == (2, True)


@pytest.mark.vosk
async def test_a_metrics_port_that_is_taken_is_named(site: Site, taken_port: int) -> None:
    site.spoil("telemetry", metrics_port=taken_port)
    status, sentence = await site.start()
    assert (status, "[telemetry] metrics_port" in sentence) == (2, True)


@pytest.mark.vosk
async def test_no_asterisk_says_where_it_was_looked_for(site: Site, taken_port: int) -> None:
    del taken_port  # only so that the port below is surely another one
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    site.spoil("pbx", url=f"http://127.0.0.1:{port}/ari")
    status, sentence = await site.start()
    assert (status, f"127.0.0.1:{port}" in sentence) == (1, True)


@pytest.mark.vosk
async def test_a_wrong_ari_password_is_said_at_once(site: Site, pbx: PrivateAsterisk) -> None:
    site.spoil("pbx", url=pbx.ari_url, user=pbx.ari_user)
    status, sentence = await site.start()
    assert (status, "password" in sentence) == (1, True)


async def test_rtp_ports_that_are_none_are_refused(site: Site) -> None:
    site.spoil("media", first_port=20010, last_port=20000)
    status, sentence = await site.start()
    assert (status, "[media]" in sentence) == (2, True)


async def test_rtp_ports_for_fewer_calls_than_may_come_are_refused(site: Site) -> None:
    site.spoil("media", first_port=20000, last_port=20003)
    site.spoil("calls", most=3)
    status, sentence = await site.start()
    assert (status, "room for 2 calls, but [calls] most is 3" in sentence) == (2, True)


async def test_rtp_ports_that_others_have_are_named(site: Site) -> None:
    with even_port_taken() as port:
        site.spoil("media", first_port=port, last_port=port + 1)
        site.spoil("calls", most=1)
        status, sentence = await site.start()
    assert (status, f"no free RTP port on 127.0.0.1 in {port}-{port}" in sentence) == (1, True)


@pytest.mark.parametrize(
    ("section", "setting", "value", "words"),
    [
        ("pbx", "password_file", "/nowhere", "pbx.password_file: cannot read /nowhere"),
        ("media", "host", "nonsense", "[media]: 'nonsense' does not appear to be"),
        ("policy", "bundle", "/nowhere", "[policy] bundle: cannot read /nowhere"),
        ("store", "path", "/dev/null/segue.db", "/dev/null"),
    ],
)
async def test_a_value_that_cannot_be_used_is_named_with_its_setting(
    site: Site, section: str, setting: str, value: str, words: str
) -> None:
    site.spoil(section, **{setting: value})
    status, sentence = await site.start()
    assert status in (1, 2)
    assert words in sentence


@pytest.mark.vosk
async def test_an_address_of_asterisk_without_a_scheme_is_refused(site: Site) -> None:
    site.spoil("pbx", url="127.0.0.1:8088/ari")
    status, sentence = await site.start()
    assert (status, "[pbx] url" in sentence) == (2, True)


@pytest.mark.vosk
async def test_a_sender_that_no_handset_could_show_is_refused(site: Site) -> None:
    site.spoil("sms", host="127.0.0.1", password_file=site.secret("bind", "x"))
    site.spoil("sms", source="a name that is far too long")
    status, sentence = await site.start()
    assert (status, "[sms] source" in sentence) == (2, True)
