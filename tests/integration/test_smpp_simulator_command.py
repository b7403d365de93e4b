"""`segue smsc` as a process, as a person or a script runs it."""

import asyncio
import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ari_app.cli.smsc_lines import line
from smpp.control import ControlClient
from smpp.receipt import parse
from smpp.simulator import (
    AcceptedMessage,
    AnswerWithheld,
    BindAnswered,
    ConnectionEnded,
    FaultsChanged,
    ReceiptAnswered,
    ReceiptSent,
    TextAnswered,
    TextCancelled,
    TextRefused,
    TextReplaced,
    TextSent,
    TextUntaken,
    Told,
)
from tests.support.certificates import Authority
from tests.support.raw_esme import connected

COMMAND = (sys.executable, "-m", "ari_app", "smsc")


class Running:
    """The process and what it announced."""

    def __init__(self, process: asyncio.subprocess.Process, facts: dict[str, Any]) -> None:
        self.process, self.facts = process, facts

    async def events(self, last: str) -> list[dict[str, Any]]:
        """Its JSON lines up to the one that is wanted."""
        assert self.process.stdout is not None
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(20.0):
            while not found or found[-1]["event"] != last:
                found.append(json.loads(await self.process.stdout.readline()))
        return found

    async def ends(self, number: signal.Signals = signal.SIGTERM) -> str:
        """What it said to people until it ended well."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        async with asyncio.timeout(20.0):
            said = (await self.process.stderr.read()).decode()
            assert await self.process.wait() == 0, said
        return said


@contextlib.asynccontextmanager
async def running(
    folder: Path, *options: str, stdout: int = asyncio.subprocess.PIPE
) -> AsyncIterator[Running]:
    ready = folder / "ready.json"
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("--port", "0", "--ready", str(ready), *options),
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30.0):
            while not ready.exists():  # noqa: ASYNC110  a file of another process
                assert process.returncode is None
                await asyncio.sleep(0.02)
        yield Running(process, json.loads(ready.read_text()))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_script_reads_what_happens_line_by_line(tmp_path: Path) -> None:
    options = (
        "--json",
        "--receipt-delay",
        "0",
        "--fault",
        "hex_ids",
        "--fault",
        "failures=UNDELIV=1/006",
    )
    async with running(tmp_path, *options) as smsc:
        (listening,) = await smsc.events("listening")
        assert listening["port"] == smsc.facts["port"]
        async with connected(smsc.facts["port"]) as esme:
            assert (await esme.bind()).status == 0
            id = (
                await esme.submit("é".encode("latin-1"), data_coding=3, registered_delivery=1)
            ).message_id
            receipt = parse(await esme.delivered())
            assert (int(receipt.id), receipt.state) == (int(id, 16), "UNDELIV")
        events = await smsc.events("connection_ended")
        assert [event["event"] for event in events] == [
            "bind", "accepted", "receipt_sent", "receipt_acknowledged", "connection_ended",
        ]  # fmt: skip
        assert (events[1]["text"], events[1]["ids"]) == ("é", [id])
        await smsc.ends()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_person_is_told_where_it_is_and_nothing_that_is_secret(
    tmp_path: Path, number: signal.Signals
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush")
    secret.chmod(0o600)
    options = ("--system-id", "acme", "--password-file", str(secret))
    async with running(tmp_path, *options) as smsc:
        port = smsc.facts["port"]
        async with connected(port) as esme:
            assert (await esme.bind(system_id="acme", password="hush")).status == 0
            assert (await esme.submit(b"my appointment")).status == 0
            client = ControlClient(port=smsc.facts["control_port"])
            assert (await client.accepted())[0]["text"] == "my appointment"
            await asyncio.sleep(0.2)  # for the line in the terminal: nothing else tells of it
            said = await smsc.ends(number)
    assert f"127.0.0.1:{port}" in said
    assert smsc.facts["page"] in said
    hint = tomllib.loads(said[said.index("[sms]") : said.index("\n\nCtrl-C")])["sms"]
    assert (hint["host"], hint["port"], hint["system_id"]) == ("127.0.0.1", port, "acme")
    assert hint["password_file"] == str(secret)
    assert "took a text of 1 part for +331******89" in said
    for hidden in ("hush", "appointment", "33123456789"):
        assert hidden not in said.replace(str(secret), "")


async def test_it_ends_at_once_though_a_script_has_stopped_reading(tmp_path: Path) -> None:
    unread, stdout = os.pipe()
    try:
        async with running(tmp_path, "--json", "--no-page", stdout=stdout) as smsc:
            assert "page" not in smsc.facts
            client = ControlClient(port=smsc.facts["control_port"])
            for _ in range(400):  # more than a pipe holds
                await client.faults(failures=",".join(["EXPIRED=0.001/00000"] * 9))
            await smsc.ends()
    finally:
        os.close(unread)
        os.close(stdout)


async def test_it_ends_when_the_script_is_gone(tmp_path: Path) -> None:
    unread, stdout = os.pipe()
    async with running(tmp_path, "--json", stdout=stdout) as smsc:
        os.close(stdout)
        os.close(unread)
        await ControlClient(port=smsc.facts["control_port"]).faults(silent=True)
        async with asyncio.timeout(20.0):
            assert await smsc.process.wait() == 0


async def test_tls_is_served_to_those_with_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("smsc", hosts=("127.0.0.1",))
    options = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    async with running(tmp_path, *options, "--tls-clients", str(authority.file)) as smsc:
        trusting = ssl.create_default_context(cafile=str(authority.file))
        trusting.load_cert_chain(*authority.issue("client"))
        async with connected(smsc.facts["port"], tls=trusting) as esme:
            assert (await esme.bind()).status == 0
        stranger = ssl.create_default_context(cafile=str(authority.file))
        with pytest.raises((OSError, EOFError)):
            async with connected(smsc.facts["port"], tls=stranger) as esme:
                await esme.bind()
        assert ", TLS" in await smsc.ends()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--fault", "dance=1"], "no such fault"),
        (["--fault", "drop_after=0"], "a number from 1"),
        (["--receipt-delay", "soon"], "a delay is"),
        (["--alphabet", "greek"], "allowed are gsm7"),
        (["--system-id", "acme"], "needs a --password-file"),
        (["--account", "acme"], "NAME=FILE"),
        (["--tls-key", "/nowhere"], "needs both"),
        (["--tls-key", "/nowhere", "--tls-certificate", "/nowhere"], "cannot be used"),
        (["--port", "70000"], "cannot listen"),
        (["--host", "203.0.113.1", "--port", "0"], "cannot listen"),
    ],
)
def test_an_option_that_cannot_be_is_one_sentence(options: list[str], complaint: str) -> None:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_faults_are_listed() -> None:
    done = subprocess.run([*COMMAND, "--list-faults"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "hex_ids=False: ids are hexadecimal" in done.stdout
    assert "(response, nack, nack0)" in done.stdout


@pytest.mark.parametrize(
    "told",
    [
        AcceptedMessage(("7",), "36200", "33123456789", "secret text", 0.0, 1, 0),
        ReceiptSent("7", "DELIVRD", "7"),
        ReceiptAnswered("7", 0x64),
        TextSent(1, "+33123456789", "36200", "secret text", 2),
        TextAnswered("+33123456789", "36200", 0, 1),
        TextUntaken(1),
        BindAnswered(1, "segue", "bind_receiver", 0x0D),
        ConnectionEnded(1, "segue"),
        TextRefused(1, 0x40B),
        AnswerWithheld(1, "7"),
        TextCancelled("7"),
        TextReplaced("7", "secret text"),
        FaultsChanged({"hex_ids": True}),
    ],
    ids=lambda told: type(told).__name__,
)
def test_a_line_for_people_has_no_text_and_no_whole_number(told: Told) -> None:
    said = line(told)
    assert said
    assert "secret" not in said
    assert "33123456789" not in said
