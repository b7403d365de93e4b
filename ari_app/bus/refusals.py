"""What a failure of NATS means to whoever runs the service: one sentence, with the next step."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence

from nats import errors
from nats.js.errors import APIError, NoStreamResponseError, ServiceUnavailableError

# JetStream's own numbers: not enabled, not enabled for the account.
_NO_JETSTREAM = {10076, 10039}


def sentence(
    error: Exception, behind: Exception | None, servers: Sequence[str], deadline: float
) -> str | None:
    """The sentence, or None if this is no failure of the outside; `behind` was told beside it."""
    where = f"NATS at {', '.join(servers)}"
    # nats-py says only that no server is left; why is what it told before.
    if isinstance(error, errors.NoServersError) and behind is not None:
        error = behind
    # nats-py tells of a refused event in passing, and lets its publisher wait.
    if isinstance(error, TimeoutError | ConnectionResetError) and isinstance(behind, APIError):
        error = behind
    said = f"{error} {behind or ''}".lower()
    if "authorization violation" in said or "authentication" in said:
        return f"{where} refuses our login: correct user, password or credentials file in [bus]"
    if "permissions violation" in said:
        return f"{where} forbids it ({_bare(behind or error)}): grant our user publish on it"
    if isinstance(error, ssl.SSLError):
        return f"TLS with {where} fails ({error.reason or error}): check the files in [bus]"
    if isinstance(error, APIError) and (
        isinstance(error, ServiceUnavailableError) or error.err_code in _NO_JETSTREAM
    ):
        if error.err_code is None or error.err_code in _NO_JETSTREAM:
            return f"{where} has no JetStream for us: enable it in the server and for our account"
        return f"JetStream of {where} is not ready ({error.description}): see the server's log"
    if isinstance(error, APIError):
        return f"JetStream of {where} refuses ({error.description}): correct stream or server"
    if isinstance(error, NoStreamResponseError):
        return f"no stream of {where} takes our events: was it deleted? It is made again"
    if isinstance(error, errors.MaxPayloadError):
        return f"an event is larger than {where} takes: raise its max_payload"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer within {deadline:g} s: is it overloaded or its disk full?"
    if isinstance(error, OSError):
        # asyncio's own words repeat the address; the resolver's numbers are below zero.
        known = error.errno if error.errno and error.errno > 0 else None
        why = os.strerror(known) if known else error.strerror or error
        return f"{where} cannot be reached ({why}): start it, or correct [bus]"
    if isinstance(error, errors.Error):
        return f"{where} ended the connection ({_bare(error)}): see the server's log"
    return None


def _bare(error: Exception) -> str:
    return str(error).removeprefix("nats: ").strip()
