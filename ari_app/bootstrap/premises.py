"""What lies on the disk of an installation: its database, its keys, its policy and its model."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import hmac
import os
import secrets
import socket
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.bootstrap import sending
from ari_app.bootstrap.outside import anchors
from ari_app.config import Settings, read_secret
from ari_app.conversation.message import MessageClass
from ari_app.errors import BundleError, SettingsError, StoreUnavailable
from ari_app.ledger.note import VerifierKey
from ari_app.policy.bundle import Bundle, read_bundle
from ari_app.ports import Clock, Meter
from ari_app.privacy.erasure import Erasure
from ari_app.privacy.ports import Mode
from ari_app.privacy.retention import RECORDINGS, Schedule
from ari_app.privacy.sealing import Sealer
from ari_app.privacy.vault import Vault
from ari_app.recordings.folder import RecordingFolder
from ari_app.speech.model import ModelFacts, load_model_facts, mini_model_path
from ari_app.store.engine import Engine
from ari_app.store.erasures import LedgerFile, copy
from ari_app.store.keys import KeyDatabase
from ari_app.store.postgres import PostgresEngine, holds_password, same_database
from ari_app.store.postgres_keys import PostgresKeys
from ari_app.store.postgres_ledger import LedgerTable
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore

EXAMPLE_BUNDLE = Path(__file__).parent.parent / "policy" / "bundles" / "harbour-clinic.yaml"


def load_bundle(settings: Settings) -> Bundle:
    """The policy bundle that the settings name; BundleError or SettingsError.

    Its words in other languages are beside it: `clinic_es.yaml` beside `clinic.yaml`.
    """
    path = settings.policy.bundle or EXAMPLE_BUNDLE
    others = sorted(path.parent.glob(f"{glob.escape(path.stem)}_*{path.suffix}"))
    try:
        text, *translations = [p.read_text(encoding="utf-8") for p in (path, *others)]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"[policy] bundle: cannot read {path}: {error}") from None
    try:
        usual = MessageClass(settings.sms.message_class)
        return read_bundle(text, usual, translations=translations)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def load_models(settings: Settings) -> dict[str, ModelFacts]:
    """The models of other languages, by primary subtag; ModelUnavailable or SettingsError."""
    rate = load_model(settings).rate if settings.speech.models else 0
    found = {tag: load_model_facts(path) for tag, path in settings.speech.models.items()}
    for tag, facts in found.items():
        if facts.rate != rate:
            raise SettingsError(
                f"[speech] models.{tag}: {facts.rate} Hz beside a model of {rate} Hz: a call that "
                "changes its language keeps its line, so use models of one rate"
            )
    return found


def load_model(settings: Settings) -> ModelFacts:
    """The speech model that the settings name; ModelUnavailable."""
    return load_model_facts(settings.speech.model_path or mini_model_path())


class Privacy:
    """The keys of one installation, and what is done with them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Nothing is opened yet; SettingsError if the key-encryption key cannot be used."""
        limits = settings.privacy
        windows = {
            "identity": limits.identity_days,
            "words": limits.words_days,
            "texts": limits.texts_days,
            "records": limits.records_days,
            RECORDINGS: limits.recordings_days,
        }
        schedule = Schedule(windows)
        self._keys = _keys(settings, clock)
        self._file = LedgerFile(settings.store.path.parent / "erasures.jsonl")
        self._table = _ledger_table(settings)
        self.vault = Vault(self._keys, schedule, clock, os.urandom)
        self.erasure = Erasure(self._keys, self._table or self._file, schedule, clock)

    def open(self) -> None:
        """Open the keys; a backup that revived erased ones is put right before anything is read."""
        self._keys.open()
        if self._table is not None:
            # Each host keeps a copy; a table that an old backup was restored into learns from it.
            copy(self._file, self._table)
        self.erasure.reapply()

    def rotate(self, file: Path) -> int:
        """Wrap every key by the key-encryption key in this file; how many. SettingsError."""
        given = read_secret(file, "", "--new")
        assert given is not None  # a file that is named is read or refused
        return self._keys.rotate(_as_kek(given, str(file)))

    def close(self) -> None:
        """Close the keys."""
        if self._table is not None:
            with contextlib.suppress(StoreUnavailable):  # at the next opening, then
                copy(self._table, self._file)
            self._table.close()
        self._keys.close()


def _keys(settings: Settings, clock: Clock) -> KeyDatabase | PostgresKeys:
    privacy, folder = settings.privacy, settings.store.path.parent
    if not privacy.keys_url:
        return KeyDatabase(folder / "keys.db", _kek(settings), clock, os.urandom)
    if settings.store.url and same_database(privacy.keys_url, settings.store.url):
        raise SettingsError(
            "[privacy] keys_url: keys must not lie in the database of the log, or one backup "
            "would hold both: name another database"
        )
    _without_password(privacy.keys_url, "[privacy] keys_url")
    password = read_secret(
        privacy.keys_password_file, "keys_password", "privacy.keys_password_file"
    )
    return PostgresKeys(
        privacy.keys_url,
        _kek(settings),
        clock,
        os.urandom,
        schema=f"{settings.store.schema_name}_keys",
        password=password,
    )


def _ledger_table(settings: Settings) -> LedgerTable | None:
    privacy = settings.privacy
    if not privacy.ledger_url:
        if privacy.keys_url:
            raise SettingsError(
                "[privacy] ledger_url: hosts that share keys must share the erasure ledger: set it"
            )
        return None
    if privacy.keys_url and same_database(privacy.keys_url, privacy.ledger_url):
        raise SettingsError(
            "[privacy] ledger_url: the ledger must not be restored together with the keys: "
            "name another database"
        )
    _without_password(privacy.ledger_url, "[privacy] ledger_url")
    password = read_secret(
        privacy.ledger_password_file, "ledger_password", "privacy.ledger_password_file"
    )
    schema = f"{settings.store.schema_name}_ledger"
    return LedgerTable(privacy.ledger_url, schema, password=password)


def folder_of_recordings(settings: Settings) -> Path:
    """Where recordings are, or would be."""
    return settings.recording.folder or settings.store.path.parent / "recordings"


def recordings(settings: Settings, vault: Vault, clock: Clock, meter: Meter) -> RecordingFolder:
    """The folder of recordings; nothing of it is made before one is started."""
    wanted = settings.recording
    return RecordingFolder(
        folder_of_recordings(settings),
        vault,
        clock,
        meter,
        behind=wanted.behind,
        longest=wanted.longest * 60,
        least_free=wanted.least_free * 1_000_000,
    )


class Premises:
    """The keys and the store of one installation, opened and closed together."""

    def __init__(
        self, settings: Settings, clock: Clock, meter: Meter, *, read_only: bool = False
    ) -> None:
        """Nothing is opened yet; SettingsError if a key or an address cannot be used.

        To be read only, it must be there: StoreUnavailable, before a key is made for nothing.
        """
        self._settings = settings
        database = engine(settings, clock, read_only=read_only)
        if read_only:
            database.open()
        self.privacy = Privacy(settings, clock)
        # Another one at each start, and told apart in logs.
        worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        key = None if read_only else subject_key(settings)
        self.store = EventStore(
            database,
            clock,
            meter,
            worker=worker,
            vault=self.privacy.vault,
            recipients=key,
            gate=sending.gate(settings, database, meter, key) if key else None,
        )

    async def open(self) -> None:
        """The keys first. StoreUnavailable, also if the database is of another installation."""
        self.privacy.open()
        try:
            await self.store.open()
            await self.store.belongs_to(mark(subject_key(self._settings)))
            if not self.store.engine.read_only:
                await self._bury_again()
        except BaseException:
            await self.aclose()
            raise

    async def _bury_again(self) -> None:
        """What a restored backup has revived of payloads that were erased."""
        for entry in self.privacy.erasure.erased():
            if entry.mode is Mode.TOMBSTONE:
                await self.store.tombstone(entry.owner, entry.at)

    async def aclose(self) -> None:
        """Write what waits, and close both."""
        await self.store.aclose()
        self.privacy.close()


def engine(settings: Settings, clock: Clock, *, read_only: bool = False) -> Engine:
    """The database that the settings name, not opened yet; SettingsError."""
    store = settings.store
    if not store.url:
        return SqliteEngine(store.path, clock, read_only=read_only)
    _without_password(store.url, "[store] url")
    password = read_secret(store.password_file, "database_password", "store.password_file")
    return PostgresEngine(
        store.url, schema=store.schema_name, password=password, read_only=read_only
    )


def subject_key(settings: Settings) -> bytes:
    """The key of the pseudonyms: from the settings, else made once beside the database."""
    store = settings.store
    given = read_secret(store.subject_key_file, "subject_key", "store.subject_key_file")
    if given is None:
        return _made_once(store.path.parent / "subject.key").encode()
    if len(given) < 32:
        raise SettingsError("store.subject_key_file: the key is shorter than 32 bytes")
    return given.encode()


def derived(key: bytes, use: str) -> bytes:
    """A key for one use only, of the key of the pseudonyms."""
    return hmac.new(key, f"segue {use}".encode(), hashlib.sha256).digest()


def mark(key: bytes) -> str:
    """What a database is marked with as ours, by the key of our pseudonyms."""
    return hmac.new(key, b"segue installation", hashlib.sha256).hexdigest()[:32]


def _kek(settings: Settings) -> bytes:
    """The key-encryption key: from the settings, else made once beside the database."""
    given = read_secret(settings.privacy.kek_file, "kek", "privacy.kek_file")
    if given is None and settings.privacy.keys_url:
        raise SettingsError(
            "privacy.kek_file: hosts that share keys must have the same key-encryption key: set it"
        )
    if given is None:
        given = _made_once(settings.store.path.parent / "kek")
    return _as_kek(given, "privacy.kek_file")


def _as_kek(text: str, where: str) -> bytes:
    try:
        kek = bytes.fromhex(text)
    except ValueError:
        kek = b""
    if len(kek) != 32:
        raise SettingsError(f"{where}: the key must be 64 hex digits")
    return kek


def sealer(settings: Settings, store: EventStore, clock: Clock) -> Sealer:
    """The sealer of this installation; its key is made once, its verifier key lies beside it."""
    folder = settings.store.path.parent
    try:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(_made_once(folder / "seal.key")))
    except ValueError:
        raise SettingsError(f"{folder / 'seal.key'} is not 64 hex digits: restore it") from None
    # Of the key, so that no two installations sign under one name by accident.
    public = key.public_key().public_bytes_raw()
    origin = settings.audit.origin or f"segue-{public[:4].hex()}"
    written = f"{VerifierKey.of(origin, key)}\n"
    path = folder / "seal.pub"
    try:
        if not path.exists() or path.read_text(encoding="utf-8") != written:
            path.write_text(written, encoding="utf-8")
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from None
    return Sealer(store.seals(), origin, key, clock, anchors(settings, clock))


def _made_once(path: Path) -> str:
    """A random key of 64 hex digits, for the service's eyes only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise StoreUnavailable(
            f"cannot make {path} ({error.strerror}): make the folder writable for the service"
        ) from None


def _without_password(url: str, setting: str) -> None:
    if holds_password(url):
        raise SettingsError(f"{setting} holds a password: write it to the file of password_file")


def need(secret: str | None, sentence: str) -> str:
    """The secret; SettingsError with this sentence if there is none."""
    if secret is None:
        raise SettingsError(sentence)
    return secret
