"""
How a recording lies on the disk: sealed piece by piece, so that no order or end can be forged.

    "segue recording 1\\n"
    u32 length, label      JSON: what it is of, and its key, sealed by the owner's data key
    u32 length, u8 kind, sealed   any number of pieces of kind 0, then one of kind 1
                           that says the end; all numbers are big-endian

A piece is AES-256-GCM (NIST SP 800-38D) by a key of this file alone. Its nonce is its number,
its AAD the SHA-256 of all before the first piece, its number and its kind. Within are u64, the
sample at which it begins, and stereo mu-law at 8 kHz; within the end is JSON. A file without an
end was cut: whoever wrote it is gone, or writes still. The owner's data key is the only way to
the file's key: when it is shredded, so is the recording.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ari_app.ports import RecordingLabel
from ari_app.privacy.errors import SealBroken
from ari_app.recordings.errors import RecordingDamaged, RecordingErased

MAGIC = b"segue recording 1\n"
RATE = 8000
KEY_SIZE = 32
_AUDIO, _END = 0, 1
_LABEL = struct.Struct(">I")
_PIECE = struct.Struct(">IB")
_AT = struct.Struct(">Q")
_MOST_LABEL = 4096
_MOST_PIECE = 1 << 16
_TAG = 16


@dataclass(frozen=True, slots=True)
class Piece:
    """Some audio: stereo mu-law, from this sample of the recording on."""

    at: int
    audio: bytes

    @property
    def samples(self) -> int:
        """How long it is, at 8 kHz."""
        return len(self.audio) // 2


@dataclass(frozen=True, slots=True)
class End:
    """The recording was closed, and why; `samples` are those of all pieces."""

    why: str
    samples: int


class Sealing:
    """Writes one recording: `head`, pieces, `end`. No nonce is used twice: keep one per file."""

    def __init__(self, label: RecordingLabel, key: bytes, seal: Callable[[str, str], str]) -> None:
        """`key` is new and of this file alone; `seal` seals (place, text) for the owner."""
        self._cipher = AESGCM(key)
        sealed = seal(_place(label), key.hex())
        self.head = _head(label, sealed)
        self._digest = hashlib.sha256(self.head).digest()
        self._number = 0
        self.samples = 0

    def piece(self, at: int, audio: bytes) -> bytes:
        """As it is to be written; ValueError if it is too long."""
        if len(audio) + _AT.size + _TAG > _MOST_PIECE:
            raise ValueError("a piece of a recording is too long")
        self.samples += len(audio) // 2
        return self._sealed(_AUDIO, _AT.pack(at) + audio)

    def end(self, why: str) -> bytes:
        """The last of it."""
        return self._sealed(_END, json.dumps({"why": why, "samples": self.samples}).encode())

    def _sealed(self, kind: int, plain: bytes) -> bytes:
        nonce, aad = _bound(self._digest, self._number, kind)
        self._number += 1
        sealed = self._cipher.encrypt(nonce, plain, aad)
        return _PIECE.pack(len(sealed), kind) + sealed


def read_label(file: BinaryIO) -> tuple[RecordingLabel, str, bytes]:
    """What it is of, its sealed key, and all bytes so far; RecordingDamaged if it is none."""
    start = file.read(len(MAGIC) + _LABEL.size)
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + _LABEL.size:
        raise RecordingDamaged("this is no recording, or its beginning was cut off")
    (size,) = _LABEL.unpack(start[len(MAGIC) :])
    written = file.read(min(size, _MOST_LABEL))
    if size > _MOST_LABEL or len(written) < size:
        raise RecordingDamaged("the label of the recording was changed or cut off")
    try:
        fields = json.loads(written)
        sealed = str(fields.pop("key"))
        label = RecordingLabel(**fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RecordingDamaged("the label of the recording was changed") from None
    if _head(label, sealed) != start + written:
        raise RecordingDamaged("the label of the recording was changed")
    return label, sealed, start + written


def read(file: BinaryIO, open: Callable[[str, str], str | None]) -> Iterator[Piece | End]:
    """The pieces in order, and the end if there is one; without it the recording was cut.

    `open` opens (place, sealed) as the vault does. RecordingErased if the key is shredded;
    RecordingDamaged as soon as something is not what was written: what came before it was.
    """
    label, sealed, head = read_label(file)
    cipher = AESGCM(file_key(label, sealed, open))
    digest = hashlib.sha256(head).digest()
    number = 0
    while piece := _next(file, number):
        kind, body = piece
        nonce, aad = _bound(digest, number, kind)
        try:
            plain = cipher.decrypt(nonce, body, aad)
        except InvalidTag:
            raise _changed(number) from None
        if kind == _END:
            if file.read(1):
                raise RecordingDamaged("something was added behind the end of the recording")
            yield End(**json.loads(plain))
            return
        yield Piece(_AT.unpack_from(plain)[0], plain[_AT.size :])
        number += 1


def file_key(label: RecordingLabel, sealed: str, open: Callable[[str, str], str | None]) -> bytes:
    """The key of the file; RecordingErased or RecordingDamaged."""
    try:
        key = open(_place(label), sealed)
    except SealBroken:
        raise RecordingDamaged("the label of the recording was changed") from None
    if key is None:
        raise RecordingErased(f"recording {label.recording} was erased: its key is shredded")
    return bytes.fromhex(key)


def has_end(file: BinaryIO) -> bool:
    """Whether it looks closed; nothing is opened, so only `read` can be believed."""
    read_label(file)
    at = file.tell()
    size = file.seek(0, os.SEEK_END)
    while at + _PIECE.size <= size:
        file.seek(at)
        length, kind = _PIECE.unpack(file.read(_PIECE.size))
        at += _PIECE.size + length
        if kind == _END:
            return bool(at == size)
    return False


def _next(file: BinaryIO, number: int) -> tuple[int, bytes] | None:
    """Kind and sealed body; None at the end of the file, also in the middle of a piece."""
    head = file.read(_PIECE.size)
    if len(head) < _PIECE.size:
        return None
    size, kind = _PIECE.unpack(head)
    if not _TAG <= size <= _MOST_PIECE or kind not in (_AUDIO, _END):
        raise _changed(number)
    body = file.read(size)
    return (kind, body) if len(body) == size else None


def _changed(number: int) -> RecordingDamaged:
    return RecordingDamaged(f"piece {number + 1} of the recording was changed, moved or removed")


def _bound(digest: bytes, number: int, kind: int) -> tuple[bytes, bytes]:
    """Nonce and AAD of a piece."""
    place = number.to_bytes(12, "big")
    return place, digest + place + bytes((kind,))


def _head(label: RecordingLabel, sealed: str) -> bytes:
    written = json.dumps({**asdict(label), "key": sealed}).encode()
    return MAGIC + _LABEL.pack(len(written)) + written


def _place(label: RecordingLabel) -> str:
    """Binds the key to all that the label says."""
    said = hashlib.sha256(json.dumps(asdict(label)).encode()).hexdigest()
    return f"recording|{label.recording}|{said}"
