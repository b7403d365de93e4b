"""The ways to callers: audio, ARI, and how many of them there may be."""

from __future__ import annotations

from collections.abc import Callable

from ari_app.ari.client import AriClient
from ari_app.ari.telephone import AriTelephone
from ari_app.bootstrap import sending
from ari_app.bootstrap.life import Life
from ari_app.calls.admission import Caps, cap_of
from ari_app.config import Calls as CallSettings
from ari_app.config import Settings
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError
from ari_app.media.line import RtpLines
from ari_app.media.websocket import WebSocketLines
from ari_app.policy.bundle import Bundle
from ari_app.policy.callbacks import may_be_called
from ari_app.ports import Lines

_TRANSPORTS = {"auto": None, "websocket": True, "http": False}


async def lines(life: Life) -> Lines:
    """Lines for as many calls as may come; that there can be one is tried now."""
    media, most = life.settings.media, life.settings.calls.most
    if media.transport == "websocket":
        websockets = WebSocketLines(life.settings.pbx.url, life.meter, life.clock)
        life.at_end(websockets.aclose)
        return websockets
    ports = range(media.first_port, media.last_port + 1)
    try:
        made = RtpLines(
            media.host,
            media.advertise or media.host,
            ports,
            life.meter,
            life.clock,
            media.sources,
        )
    except ValueError as error:
        raise SettingsError(
            f"[media]: {error}: correct host, advertise, sources, first_port and last_port"
        ) from None
    room = sum(port % 2 == 0 for port in ports)
    if room < most:
        raise SettingsError(
            f"[media]: {media.first_port} to {media.last_port} is room for {room} calls, "
            f"but [calls] most is {most}: widen the range, or lower most"
        )
    line = await made.open(_Nobody(), "ulaw")
    await line.aclose()
    return made


def client(life: Life, telephone: AriTelephone, password: str) -> AriClient:
    """Not started yet; SettingsError."""
    pbx = life.settings.pbx
    try:
        return AriClient(
            pbx.url,
            pbx.user,
            password,
            pbx.app,
            telephone,
            life.meter,
            life.clock,
            patience=pbx.patience,
            rest_over_websocket=_TRANSPORTS[pbx.transport],
        )
    except ValueError as error:
        raise SettingsError(f"[pbx] url: {error}") from None


def caps(calls: CallSettings) -> Caps:
    """How many calls may be up; a machine that was measured takes no more than it can."""
    most = calls.most
    if calls.capacity is not None:
        try:
            most = min(most, cap_of(calls.capacity.read_text(encoding="utf-8"), calls.headroom))
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"[calls] capacity: {calls.capacity} cannot be used ({error}): "
                "let `segue bench capacity` write it, or unset it"
            ) from None
    return Caps(most, calls.per_caller, calls.per_trunk)


def may_be_dialled(settings: Settings, bundle: Bundle) -> Callable[[E164], bool]:
    """Whether a number may be called back, if anybody is."""
    able = bool(settings.calls.dial) and bundle.callbacks.confirm is not None
    countries = sending.rules(settings).countries
    return lambda number: able and may_be_called(number, countries)


class _Nobody:
    """Listens to a line that is opened only to see whether it can be."""

    def heard(self, pcm: bytes, at: float) -> None:
        """See the port AudioSink."""

    def prompt_ended(self, at: float) -> None:
        """See the port AudioSink."""
