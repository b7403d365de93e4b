"""
The remote control of the simulator: one JSON object per line, over a unix socket or loopback.

    {"do": "mo", "from": "+15550100", "to": "+15550199", "text": "2"}  ->  {"ok": true, "status": 0}
    {"do": "accepted"}                       ->  {"ok": true, "messages": [{"text": …}, …]}
    {"do": "faults", "throttle_first": 3}    ->  {"ok": true}
    {"do": "drop"} {"do": "unbind"}          ->  {"ok": true}
    {"do": "watch"}                          ->  {"ok": true}, then a line for each event

This is the only place where the simulator shows the content of texts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
from collections.abc import AsyncGenerator
from dataclasses import asdict, fields
from typing import Any

from smpp.errors import SmppError
from smpp.simulator import Faults, Notice, Smsc

_LINE = 64 * 1024
_KINDS = {
    "AcceptedMessage": "accepted",
    "ReceiptSent": "receipt_sent",
    "ReceiptAnswered": "receipt_acknowledged",
    "TextAnswered": "mo_acknowledged",
}

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
                    await self._stream(reader, writer)
                    return
                await _write(writer, await self._do(request))
        except (OSError, ValueError, asyncio.CancelledError):
            pass  # gone, a line without end, or we close: the same here
        finally:
            self._clients.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _do(self, request: Json) -> Json:
        try:
            match request:
                case {"do": "mo", "from": str(sender), "to": str(recipient), "text": str(text)}:
                    timeout = float(request.get("timeout", 60.0))
                    status = await self._smsc.send_mo(sender, recipient, text, timeout=timeout)
                    return {"ok": status == 0, "status": status}
                case {"do": "accepted"}:
                    return {"ok": True, "messages": [asdict(m) for m in self._smsc.accepted]}
                case {"do": "faults"}:
                    return self._set_faults({k: v for k, v in request.items() if k != "do"})
                case {"do": "drop"}:
                    self._smsc.drop()
                    return {"ok": True}
                case {"do": "unbind"}:
                    self._smsc.unbind()
                    return {"ok": True}
                case _:
                    return {"ok": False, "error": "no such command"}
        except (SmppError, TypeError, ValueError) as error:
            return {"ok": False, "error": str(error) or type(error).__name__}

    def _set_faults(self, changes: Json) -> Json:
        before = asdict(Faults())
        known = {field.name for field in fields(Faults)}
        for name, value in changes.items():
            if name not in known or type(value) is not type(before[name]) and name != "drop_after":
                return {"ok": False, "error": f"no such fault, or no such value: {name}"}
        for name, value in changes.items():
            setattr(self._smsc.faults, name, value)
        return {"ok": True}

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue = self._smsc.watch()
        gone = asyncio.create_task(reader.read(1))
        told = asyncio.create_task(self._tell(queue, writer))
        try:
            await asyncio.wait({told, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._smsc.unwatch(queue)
            told.cancel()
            gone.cancel()
            await asyncio.wait({told, gone})

    async def _tell(self, queue: asyncio.Queue[Notice], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await _write(writer, {"ok": True})
            while True:
                await _write(writer, _notice(await queue.get()))


def _request(line: bytes) -> Json:
    try:
        request = json.loads(line)
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def _notice(notice: Notice) -> Json:
    return {"event": _KINDS[type(notice).__name__], **asdict(notice)}


async def _write(writer: asyncio.StreamWriter, answer: Json) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()


class ControlClient:
    """The other end; one command at a time, each watch on a connection of its own."""

    def __init__(self, *, path: str | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self._path = path
        self._host = host
        self._port = port

    async def mo(self, sender: str, recipient: str, text: str, *, timeout: float = 60.0) -> None:
        """A text from a handset, acknowledged by the ESME; ControlError otherwise."""
        await self.ask(
            {"do": "mo", "from": sender, "to": recipient, "text": text, "timeout": timeout}
        )

    async def accepted(self) -> list[Json]:
        """Every text that the SMSC has taken."""
        messages = (await self.ask({"do": "accepted"}))["messages"]
        assert isinstance(messages, list)
        return messages

    async def faults(self, **changes: int | bool | str | None) -> None:
        """Misbehave from now on, or behave again."""
        await self.ask({"do": "faults", **changes})

    async def drop(self) -> None:
        """Close every connection of an ESME."""
        await self.ask({"do": "drop"})

    async def watch(self) -> AsyncGenerator[Json, None]:
        """What happens from the first step of this iterator on, until it is closed.

        The first thing yielded is {"event": "watching"}: nothing after that is missed.
        """
        reader, writer = await self._open()
        try:
            await _write(writer, {"do": "watch"})
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
