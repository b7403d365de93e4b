"""One call's audio over a websocket of Asterisk's own HTTP server (chan_websocket).

Asterisk paces what we send and brings all that it hears, in order, so there is nothing of RTP here:
no port, no loss, no source to believe but the one we have connected to. It is TCP: for the same
machine or LAN.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from urllib.parse import quote

import aiohttp

from ari_app.media import formats
from ari_app.media.fading import fade_in, fade_out, goes_on_at
from ari_app.media.formats import CHUNK, Format, widen
from ari_app.media.g711 import SILENCE, ulaw_decode
from ari_app.media.pacer import PERIOD, Pacer
from ari_app.media.quality import mos_x100
from ari_app.media.timing import Timing
from ari_app.media.tones import KeyTones
from ari_app.media.tracks import Tracks
from ari_app.ports import AudioSink, AudioWatch, Clock, EchoWatch, Meter, Tape

logger = logging.getLogger(__name__)

INCOMING = "INCOMING"  # Asterisk's word for: we connect to it

_SUBPROTOCOL = "media"
_LARGEST = 65_500  # octets of a message, Asterisk's own limit
_DEADLINE = 5.0  # seconds to connect
_FIRST_AUDIO = 2.0  # seconds after connect() in which something must come
_STALL = 0.2  # without audio for so long it is silence, told as it passes
_CHUNKS = 50  # of 20 ms in one message

# Carriers cut calls on which nothing comes, and Asterisk 22.10 makes no silence for a caller in a
# bridge. So it has some of ours in store, which a prompt takes the place of.
_HUSH = 2.0
_STORE = 0.1

# Asterisk holds 900 frames, 18 s, and drops what is more.
_AHEAD = 10.0


class WebSocketLines:
    """Port `Lines`. Close it with aclose()."""

    def __init__(self, ari_url: str, meter: Meter, clock: Clock) -> None:
        """`ari_url` as in [pbx]: the audio is beside it, at …/media/<connection id>."""
        self._base = ari_url.rstrip("/").removesuffix("/ari") + "/media/"
        self._meter = meter
        self._clock = clock
        self._pacer = Pacer(clock)
        self._session: aiohttp.ClientSession | None = None

    async def open(self, sink: AudioSink, media_format: str) -> WebSocketLine:
        """A new line; ValueError for another format than `ulaw` or `slin16`."""
        wire = formats.named(media_format)
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_DEADLINE)
            self._session = aiohttp.ClientSession(
                timeout=timeout, connector=aiohttp.TCPConnector(limit=0)
            )
        return WebSocketLine(
            self._session, self._base, wire, sink, self._pacer, self._meter, self._clock
        )

    async def aclose(self) -> None:
        """Close what the lines shared."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class WebSocketLine:
    """Port `Line`. From `connect()` on the caller is sent something, if only silence."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base: str,
        wire: Format,
        sink: AudioSink,
        pacer: Pacer,
        meter: Meter,
        clock: Clock,
    ) -> None:
        self._session = session
        self._base = base
        self._wire = wire
        self._keys = KeyTones(wire.rate)
        self._sink = sink
        self._watch = sink if isinstance(sink, AudioWatch) else None
        self._echo = sink if isinstance(sink, EchoWatch) else None
        self._pacer = pacer
        self._meter = meter
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

        self._patience: float | None = None  # when the first audio should have come
        self._last: float | None = None  # when audio came
        self._ahead = 0.0  # seconds of silence told since
        self._rest = b""  # less than a frame
        self._timing = Timing(wire.rate)
        self._samples = 0
        self._received = 0
        self._malformed = 0

        self._outbox: deque[str | bytes] = deque()
        self._to_send = asyncio.Event()
        self._prompt = 0  # its number
        self._whole = b""  # the prompt
        self._skipped = 0  # octets of it before what is played now
        self._paused = False
        self._length = 0.0  # of what is played of the prompt, in seconds; 0 if none runs
        self._began: float | None = None  # when its first audio was sent
        self._written = 0  # octets of it, as they are on the wire
        self._cut = False
        self._hush = 0.0  # when the next silence is due
        self._hushed = False  # whether silence is in store
        self._sent = 0

        self._tracks: Tracks | None = None
        self._ulaw = b""  # what is played of the prompt
        self._copied = 0  # octets of it

    @property
    def host(self) -> str:
        """See the port: it is we who connect."""
        return INCOMING

    @property
    def port(self) -> int:
        """See the port."""
        return 0

    def connect(self, peer: tuple[str, int]) -> None:
        """Connect to the channel with this MEDIA_WEBSOCKET_CONNECTION_ID; the port says nothing."""
        if self._task is not None:
            self._task.cancel()
        self._patience = self._clock.monotonic() + _FIRST_AUDIO
        self._cut = self._hushed = False
        self._to_send.set()
        self._task = asyncio.create_task(self._run(peer[0]), name="audio over a websocket")
        self._pacer.add(self)

    def play(self, ulaw: bytes) -> None:
        """Start a prompt (8 kHz mu-law); a running one is replaced and does not end."""
        self._copy(self._clock.monotonic())
        if self._length or self._hushed:
            self._flush()
        self._whole, self._skipped, self._paused = ulaw, 0, False
        self._start(ulaw)

    def pause(self) -> int:
        """Silence at once; the milliseconds of the prompt that were played, 0 if none runs."""
        if self._length:
            now = self._clock.monotonic()
            self._copy(now)
            self._skipped += min(round(self._played(now) * 8000), len(self._ulaw))
            self._flush()
            self._paused = True
            self._hush = now
            if tail := fade_out(self._whole[self._skipped : self._skipped + CHUNK]):
                self._outbox.append(self._on_the_wire(tail.ljust(CHUNK, SILENCE)))
            self._to_send.set()
        return self._skipped // 8 if self._paused else 0

    def resume(self, at_ms: int | None = None) -> None:
        """Go on with a paused prompt, as in the port."""
        if not self._paused:
            return
        if self._hushed:
            self._flush()
        self._paused = False
        self._skipped = goes_on_at(self._whole, self._skipped, at_ms)
        self._start(fade_in(self._whole[self._skipped :]))

    def stop(self) -> int:
        """Silence at once; the milliseconds of the prompt that were played, 0 if none is there."""
        played = self.pause()
        self._paused = False
        return played

    def _start(self, ulaw: bytes) -> None:
        """Play this, and tell when it has been heard."""
        self._prompt += 1
        self._ulaw, self._copied = ulaw, 0
        self._length = max(len(ulaw) / 8000, PERIOD)
        self._began, self._written = None, 0
        if self._cut:
            self._began = self._clock.monotonic()
        audio = self._on_the_wire(ulaw or SILENCE * CHUNK)
        step = self._wire.rate // 50 * self._wire.sample_size * _CHUNKS
        self._outbox.append(_command("START_MEDIA_BUFFERING"))
        self._outbox.extend(audio[at : at + step] for at in range(0, len(audio), step))
        self._outbox.append(_command("STOP_MEDIA_BUFFERING", correlation_id=str(self._prompt)))
        self._to_send.set()

    def _on_the_wire(self, ulaw: bytes) -> bytes:
        return ulaw if self._wire.sample_size == 1 else widen(ulaw)

    def _flush(self) -> None:
        """Asterisk forgets what it has in store, we what we would have sent."""
        self._length, self._hushed = 0.0, False
        self._began, self._written = None, 0
        self._outbox.clear()
        self._outbox.append(_command("FLUSH_MEDIA"))

    def record(self, tape: Tape | None) -> None:
        """As in the port; our voice is what Asterisk should have played by now."""
        now = self._clock.monotonic()
        self._copy(now)
        if self._tracks is not None:
            self._tracks.finish(now)
        self._tracks = Tracks(tape.write, self._wire.rate, tape.began, now) if tape else None

    def _copy(self, now: float) -> None:
        """What has been played of the prompt since the last time."""
        played = round(self._played(now) * 8000) if self._length else self._copied
        ours = self._ulaw[self._copied : played]
        self._copied = played
        if self._tracks is not None:
            self._tracks.ours(ours, now)
        if self._echo is not None:
            self._echo.sent(ulaw_decode(ours).tobytes(), now)

    def statistics(self) -> dict[str, int]:
        """As in the port; a packet is a message. Over TCP none is lost, late or out of order."""
        none = dict.fromkeys(("lost", "late", "reordered", "duplicate", "unsent"), 0)
        refused = {"refused_malformed": self._malformed} if self._malformed else {}
        return {
            **none,
            "received": self._received,
            "refused": self._malformed,
            "sent": self._sent,
            "concealed_ms": 0,
            "jitter_us": round(self._timing.jitter * 1e6),
            "mos_x100": mos_x100(self._received, 0),
            **refused,
        }

    async def aclose(self) -> None:
        """Close the websocket, and so end Asterisk's channel; twice is fine."""
        self.record(None)
        self._pacer.remove(self)
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for kind, n in (("received", self._received), ("sent", self._sent)):
            if n:
                self._meter.count("segue_rtp_packets_total", n, kind=kind)

    # -- the websocket ----------------------------------------------------------------------

    async def _run(self, connection: str) -> None:
        url = self._base + quote(connection, safe="")
        try:
            async with self._session.ws_connect(
                url, protocols=(_SUBPROTOCOL,), max_msg_size=_LARGEST
            ) as websocket:
                writer = asyncio.create_task(self._write(websocket))
                try:
                    await self._read(websocket)
                finally:
                    writer.cancel()
                    await asyncio.gather(writer, return_exceptions=True)
            why = "Asterisk has closed it"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = str(error) or type(error).__name__
        self._lost(why)

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in websocket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self._heard(message.data, self._clock.monotonic())
            elif message.type is aiohttp.WSMsgType.TEXT:
                self._told(message.data, self._clock.monotonic())

    async def _write(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            while self._outbox:
                if isinstance(self._outbox[0], str):
                    await websocket.send_str(str(self._outbox.popleft()))
                elif self._may_send(self._clock.monotonic()):
                    await self._send_audio(websocket)
                else:
                    break  # the next beat sets it again
            if self._is_quiet(self._clock.monotonic()):
                await self._send_silence(websocket)

    async def _send_audio(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        audio = self._outbox.popleft()
        if self._began is None:
            self._began = self._clock.monotonic()
        self._written += len(audio)
        frame = self._wire.rate // 50 * self._wire.sample_size
        self._sent += -(-len(audio) // frame)
        if isinstance(audio, bytes):
            await websocket.send_bytes(audio)

    async def _send_silence(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        now = self._clock.monotonic()
        # From the schedule, not from now: the store neither grows nor runs dry.
        self._hush = (self._hush if self._hushed else now - _STORE) + _HUSH
        if self._hush <= now:
            self._hush = now + _HUSH - _STORE
        self._hushed = True
        frames = round(_HUSH / PERIOD)
        self._sent += frames
        await websocket.send_bytes(self._wire.silence * frames)

    def _is_quiet(self, now: float) -> bool:
        """Whether nothing plays, and the silence in store runs out."""
        return not self._length and now >= self._hush

    def _may_send(self, now: float) -> bool:
        """Whether Asterisk has room for a second more."""
        written = self._written / (self._wire.rate * self._wire.sample_size)
        return self._began is None or written - (now - self._began) < _AHEAD

    def _lost(self, why: str) -> None:
        """The call goes on deaf; prompts end when they would have, so that it can leave."""
        now = self._clock.monotonic()
        logger.warning("audio over the websocket is lost: %s", why)
        self._cut = True
        self._patience = None
        if self._length and self._began is None:
            self._began = now
        if self._watch is not None:
            self._watch.no_audio(now)

    # -- in ---------------------------------------------------------------------------------

    def _heard(self, data: bytes, now: float) -> None:
        if len(data) % self._wire.sample_size:
            self._malformed += 1
            return
        self._received += 1
        self._timing.packet(self._samples & 0xFFFFFFFF, now)
        self._samples += len(data) // self._wire.sample_size
        if self._last is not None and now - self._last > _STALL:
            self._silence(now - self._last - self._ahead - PERIOD, now)
        self._last, self._ahead, self._patience = now, 0.0, None
        pcm = self._rest + (ulaw_decode(data).tobytes() if self._wire.sample_size == 1 else data)
        whole = len(pcm) - len(pcm) % self._wire.frame
        self._rest = pcm[whole:]
        starts = range(0, whole, self._wire.frame)
        frames = [self._keys.muted(pcm[at : at + self._wire.frame]) for at in starts]
        if self._tracks is not None:
            self._tracks.caller(b"".join(frames), now)
        for frame in frames:
            self._sink.heard(frame, now)

    def _silence(self, seconds: float, now: float) -> None:
        for _ in range(int(seconds / PERIOD + 1e-6)):
            self._sink.heard(bytes(self._wire.frame), now)
            self._ahead += PERIOD

    def _told(self, text: str, now: float) -> None:
        try:
            event = json.loads(text)
            name, about = event["event"], event.get("correlation_id", "")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._malformed += 1
            return
        if name == "MEDIA_BUFFERING_COMPLETED" and about == str(self._prompt) and self._length:
            self._end(now)
        elif name == "ERROR":
            logger.warning("Asterisk refuses audio over the websocket: %.200s", text)

    # -- time -------------------------------------------------------------------------------

    def beat(self, now: float) -> None:
        """Every 20 ms: what did not come, what can be sent, what would have ended."""
        self._copy(now)
        if self._patience is not None and now >= self._patience:
            self._patience = None
            logger.warning("no audio came over the websocket in %g s", _FIRST_AUDIO)
            if self._watch is not None:
                self._watch.no_audio(now)
        if self._last is not None:
            self._silence(now - self._last - _STALL - self._ahead, now)
        if self._cut:
            if self._length and self._played(now) >= self._length:
                self._end(now)
        elif self._outbox or self._is_quiet(now):
            self._to_send.set()

    def skip(self, periods: int) -> None:
        """Nothing is paced from here."""

    def _played(self, now: float) -> float:
        """Seconds of the prompt, as far as we can know."""
        return 0.0 if self._began is None else min(now - self._began, self._length)

    def _end(self, now: float) -> None:
        if self._tracks is not None:
            self._tracks.ours(self._ulaw[self._copied :], now)
        self._copied = len(self._ulaw)
        self._length, self._hush = 0.0, now
        if self._cut:
            self._outbox.clear()
        self._to_send.set()
        self._sink.prompt_ended(now)


def _command(name: str, **more: str) -> str:
    return json.dumps({"command": name, **more})
