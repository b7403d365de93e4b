"""How requests reach Asterisk: on the event websocket, or over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import Any

import aiohttp
import yarl

from ari_app.ari import events
from ari_app.ari.requests import Request
from ari_app.errors import AriRefused, PbxUnavailable


class Wrong(PbxUnavailable):
    """Trying again will not help: a person must change something."""


class OverWebsocket:
    """REST over WebSocket (Asterisk >= 22.5): requests and their answers between the events.

    A request whose answer is lost with the websocket has an unknown outcome.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._pending: dict[str, asyncio.Future[events.RestResponse]] = {}
        self._ids = itertools.count(1)

    async def ask(self, request: Request, deadline: float) -> Any:
        """The parsed answer, None if it has no body. AriRefused or PbxUnavailable otherwise."""
        if self._socket.closed:
            raise PbxUnavailable(f"the link to Asterisk is down: {request} was not sent")
        id = str(next(self._ids))
        future = asyncio.get_running_loop().create_future()
        self._pending[id] = future
        try:
            async with asyncio.timeout(deadline):
                await self._socket.send_str(request.message(id))
                answer = await future
        except TimeoutError:
            raise _silence(request, deadline) from None
        except (aiohttp.ClientError, OSError) as error:
            raise PbxUnavailable(f"the link to Asterisk broke: {error}") from error
        finally:
            self._pending.pop(id, None)
            if future.done() and not future.cancelled():
                future.exception()  # seen, even if the send failed first
        return _answer(request, answer.status, answer.reason, answer.body)

    def answered(self, answer: events.RestResponse) -> None:
        """Give an answer to whoever waits for it; nobody may."""
        future = self._pending.pop(answer.id, None)
        if future is not None and not future.done():
            future.set_result(answer)

    def broke(self) -> None:
        """The websocket is gone: what is pending fails."""
        for future in self._pending.values():
            if not future.done():
                future.set_exception(PbxUnavailable("the link to Asterisk broke"))
        self._pending.clear()


class OverHttp:
    """One HTTP request for each; for the first one, and where there is no other way."""

    def __init__(self, session: aiohttp.ClientSession, url: str, user: str) -> None:
        """`url` ends in `/ari`; the account is in the headers of the session."""
        self._session = session
        self._url = url
        self._user = user

    async def ask(self, request: Request, deadline: float) -> Any:
        """As over the websocket; `Wrong` if the account is refused."""
        url = yarl.URL(self._url + request.target(), encoded=True)
        try:
            async with (
                asyncio.timeout(deadline),
                self._session.request(
                    request.method, url, json=request.body, allow_redirects=False
                ) as response,
            ):
                status, reason = response.status, response.reason or ""
                text = await response.text()
        except TimeoutError:
            raise _silence(request, deadline) from None
        except (aiohttp.ClientError, OSError, UnicodeDecodeError) as error:
            raise PbxUnavailable(f"Asterisk does not answer at {self._url}: {error}") from error
        if status in (401, 403):
            raise refusal(self._url, self._user, status)
        try:
            body = json.loads(text) if text else None
        except ValueError:
            raise PbxUnavailable(f"Asterisk answered {request} with something not JSON") from None
        return _answer(request, status, reason, body)


async def upgraded(
    session: aiohttp.ClientSession, url: str, user: str, app: str, deadline: float, size: int
) -> aiohttp.ClientWebSocketResponse:
    """The event websocket of the application, or PbxUnavailable in one sentence that helps.

    `size` is the most bytes of one message that are believed.
    """
    try:
        async with asyncio.timeout(deadline):
            return await session.ws_connect(
                f"{url}/events",
                params={"app": app, "subscribeAll": "false"},
                max_msg_size=size,
            )
    except aiohttp.WSServerHandshakeError as error:
        raise refusal(url, user, error.status) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise PbxUnavailable(
            f"Asterisk does not answer at {url}: {str(error) or 'no answer in time'}; "
            "start it, or set [pbx] url to where its ARI is"
        ) from error


async def hung_up(socket: aiohttp.ClientWebSocketResponse, deadline: float) -> None:
    """Close it; without a word where nobody answers within the deadline (seconds)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline):
            await socket.close()


def refusal(url: str, user: str, status: int) -> PbxUnavailable:
    """What an HTTP status that is not the expected one means."""
    if status in (401, 403):
        return Wrong(
            f"Asterisk at {url} refuses the ARI user {user!r} or its password "
            f"({status}): compare with ari.conf"
        )
    # While Asterisk loads its modules it answers 404, then 503: both may pass.
    if status == 404:
        return PbxUnavailable(f"there is no ARI at {url} (404): is it on in ari.conf?")
    return PbxUnavailable(f"Asterisk at {url} answered {status} to the event websocket")


def _silence(request: Request, deadline: float) -> PbxUnavailable:
    return PbxUnavailable(f"Asterisk did not answer {request} within {deadline:g} s")


def _answer(request: Request, status: int, reason: str, body: Any) -> Any:
    if status >= 400:
        said = body.get("message") if isinstance(body, dict) else None
        raise AriRefused(status, str(request), str(said or reason))
    return body
