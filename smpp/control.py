"""
The remote control of the simulator: one JSON object per line, over a unix socket or loopback.

    {"do": "mo", "from": "+15550100", "to": "+15550199", "text": "2"}  ->  {"ok": true, "status": 0}
    … "concatenation": "udh16|udh8|sar|payload", "alphabet": "gsm7|latin1|latin9|ascii|packed",
      "national": ["turkish"], "system_id": "segue", or "octets": "00ff", "data_coding": 4 for text
    {"do": "accepted"}                       ->  {"ok": true, "messages": [{"text": …}, …]}
    {"do": "faults", "throttle_first": 3}    ->  {"ok": true, "faults": {…}}; alone it only asks
    {"do": "counts"}                         ->  {"ok": true, "counts": {"SubmitSm": 4, …}}
    {"do": "drop"} "unbind" "enquire" "strange" "cut"   ->  {"ok": true}
    {"do": "raw", "octets": "0000…"}         ->  {"ok": true}
    {"do": "flood", "count": 1000, "from": …, "to": …}  ->  {"ok": true, "receivers": 1}
    {"do": "alert", "from": …, "to": …}      ->  {"ok": true}
    {"do": "outbind", "host": "127.0.0.1", "port": 2776, "system_id": …, "password": …}
    {"do": "watch"}                          ->  {"ok": true}, then a line for each event
    {"do": "watch", "everything": true}      ->  binds, refusals and switches too

This is the only place where the simulator shows the content of texts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from smpp.constants import DataCoding
from smpp.errors import SmppError
from smpp.national import Language
from smpp.simulator import Smsc, Watch, as_json
from smpp.style import Concatenation, DefaultAlphabet, TextStyle

_LINE = 64 * 1024
Json = dict[str, Any]


class ControlError(SmppError):
    """The simulator did not do it; the text says why."""


class ControlServer:
    """Takes commands for one Smsc from this machine only."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(
        self, *, path: str | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """Listen on a unix socket that only its owner may open, or on a loopback port."""
        if path is not None:
            before = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(self._serve, path, limit=_LINE)
            finally:
                os.umask(before)
            return
        if not ipaddress.ip_address(host).is_loopback:
            raise ControlError("texts are shown here: loopback only")
        self._server = await asyncio.start_server(self._serve, host, port, limit=_LINE)

    @property
    def port(self) -> int:
        """Where it listens, if not on a unix socket."""
        assert self._server is not None, "start it first"
        return int(self._server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        """Close the socket and every client."""
        if self._server is None:
            return
        self._server.close()
        for client in self._clients:
            client.cancel()
        if self._clients:
            await asyncio.wait(self._clients)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while line := await reader.readline():
                request = _request(line)
                if request.get("do") == "watch":
                    watch = self._smsc.watch(everything=request.get("everything") is True)
                    await self._stream(watch, reader, writer)
                    return
                await _write(writer, await do(self._smsc, request))
        except (OSError, ValueError, asyncio.CancelledError):
            pass  # gone, a line without end, or we close: the same here
        finally:
            self._clients.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _stream(
        self, watch: Watch, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        gone = asyncio.create_task(reader.read(1))
        told = asyncio.create_task(self._tell(watch, writer))
        try:
            await asyncio.wait({told, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._smsc.unwatch(watch)
            told.cancel()
            gone.cancel()
            await asyncio.wait({told, gone})

    async def _tell(self, watch: Watch, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await _write(writer, {"ok": True})
            while True:
                await _write(writer, as_json(await watch.get()))


async def do(smsc: Smsc, request: Json) -> Json:
    """What one command answers; `ok` is false, and `error` a sentence, if it was not done."""
    try:
        match request:
            case {"do": "mo", "from": str(sender), "to": str(recipient), **more}:
                return await _mo(smsc, sender, recipient, more)
            case {"do": "accepted"}:
                return {"ok": True, "messages": [asdict(m) for m in smsc.accepted]}
            case {"do": "faults", **changes}:
                if changes:
                    smsc.change_faults(changes)
                return {"ok": True, "faults": asdict(smsc.faults)}
            case {"do": "counts"}:
                return {"ok": True, "counts": dict(smsc.counts)}
            case {"do": "flood", "count": int(count), "from": str(sender), "to": str(recipient)}:
                return {"ok": True, "receivers": smsc.flood(count, sender, recipient)}
            case {"do": "alert", "from": str(handset), "to": str(esme)}:
                smsc.alert(handset, esme)
            case {"do": "raw", "octets": str(octets)}:
                smsc.send_raw(bytes.fromhex(octets))
            case {"do": "outbind", "host": str(host), "port": int(port), **more}:
                system_id, password = more.get("system_id", "smsc"), more.get("password", "")
                await smsc.outbind(host, port, str(system_id), str(password))
            case {"do": ("drop" | "unbind" | "enquire" | "strange" | "cut") as what}:
                getattr(smsc, what)()
            case _:
                return {"ok": False, "error": "no such command"}
    except (SmppError, OSError, OverflowError, TypeError, ValueError) as error:
        return {"ok": False, "error": str(error) or type(error).__name__}
    return {"ok": True}


async def _mo(smsc: Smsc, sender: str, recipient: str, more: Json) -> Json:
    style, timeout = _style(more), float(more.get("timeout", 60.0))
    match more:
        case {"text": str(text)}:
            named = more.get("system_id")
            system_id = str(named) if named else None
            status = await smsc.send_mo(
                sender, recipient, text, style=style, system_id=system_id, timeout=timeout
            )
        case {"octets": str(octets)}:
            status = await smsc.send_mo_octets(
                sender,
                recipient,
                bytes.fromhex(octets),
                data_coding=int(more.get("data_coding", DataCoding.OCTETS)),
                style=style,
                timeout=timeout,
            )
        case _:
            return {"ok": False, "error": "no such command"}
    return {"ok": status == 0, "status": status}


def _style(more: Json) -> TextStyle | None:
    """As the handset writes; None: as the SMSC was started with."""
    if not more.keys() & {"concatenation", "alphabet", "national"}:
        return None
    return TextStyle(
        default_alphabet=DefaultAlphabet(more.get("alphabet", "gsm7")),
        concatenation=Concatenation(more.get("concatenation", "udh8")),
        national=tuple(_language(name) for name in more.get("national", ())),
    )


def _language(name: object) -> Language:
    try:
        return Language[str(name).upper()]
    except KeyError:
        raise ValueError(f"no such national table: {str(name)[:40]!r}") from None


def _request(line: bytes) -> Json:
    try:
        request = json.loads(line)
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


async def _write(writer: asyncio.StreamWriter, answer: Json) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()


class ControlClient:
    """The other end; one command at a time, each watch on a connection of its own."""

    def __init__(self, *, path: str | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self._path = path
        self._host = host
        self._port = port

    async def mo(
        self, sender: str, recipient: str, text: str, *, timeout: float = 60.0, **style: object
    ) -> None:
        """A text from a handset, acknowledged by the ESME; ControlError otherwise.

        `style` is concatenation, alphabet, national, system_id: see the top of this file.
        """
        mo = {"do": "mo", "from": sender, "to": recipient, "text": text, "timeout": timeout}
        await self.ask({**mo, **style})

    async def accepted(self) -> list[Json]:
        """Every text that the SMSC has taken."""
        messages = (await self.ask({"do": "accepted"}))["messages"]
        assert isinstance(messages, list)
        return messages

    async def faults(self, **changes: float | str | None) -> None:
        """Misbehave from now on, or behave again."""
        await self.ask({"do": "faults", **changes})

    async def drop(self) -> None:
        """Close every connection of an ESME."""
        await self.ask({"do": "drop"})

    async def counts(self) -> dict[str, int]:
        """How often what has happened since the SMSC was started."""
        counts = (await self.ask({"do": "counts"}))["counts"]
        assert isinstance(counts, dict)
        return counts

    async def watch(self, *, everything: bool = False) -> AsyncGenerator[Json, None]:
        """What happens from the first step of this iterator on, until it is closed.

        The first thing yielded is {"event": "watching"}: nothing after that is missed. Texts and
        receipts, or `everything`: binds, refusals and switches too.
        """
        reader, writer = await self._open()
        try:
            await _write(writer, {"do": "watch", "everything": everything})
            await _answer(reader)
            yield {"event": "watching"}
            while line := await reader.readline():
                yield json.loads(line)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def ask(self, request: Json) -> Json:
        """One command and its answer; ControlError if that is not ok."""
        reader, writer = await self._open()
        try:
            await _write(writer, request)
            return await _answer(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # The answer to `accepted` is longer than a command may be.
        limit = 1024 * _LINE
        if self._path is not None:
            return await asyncio.open_unix_connection(self._path, limit=limit)
        return await asyncio.open_connection(self._host, self._port, limit=limit)


async def _answer(reader: asyncio.StreamReader) -> Json:
    line = await reader.readline()
    if not line:
        raise ControlError("the simulator has closed the connection")
    answer: Json = json.loads(line)
    if not answer.get("ok"):
        raise ControlError(str(answer.get("error") or f"status {answer.get('status')}"))
    return answer
