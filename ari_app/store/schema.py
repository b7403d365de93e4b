"""The tables, the same on every engine."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, MetaData, SQLModel

# SQLite numbers rows by INTEGER PRIMARY KEY only; PostgreSQL's integer is too short for a log.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")
# A place in the log: on PostgreSQL its transaction is part of it, which needs more than 64 bits.
_PLACE = BigInteger().with_variant(Numeric(40, 0), "postgresql")


def partial(name: str, columns: str, where: str) -> Index:
    """An index of those rows only that are asked for by it; the question repeats the condition."""
    condition = text(where)
    return Index(name, *columns.split(), sqlite_where=condition, postgresql_where=condition)


class Table(SQLModel):
    """Base of our tables, with metadata of its own."""

    metadata = MetaData()


class EventRow(Table, table=True):
    """The log: append-only."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("stream", "sequence"),
        partial("event_consent", "stream sequence", "name IN ('consent.given', 'consent.refused')"),
        # AUTOINCREMENT: a position is never used twice, even after a rollback at the end.
        {"sqlite_autoincrement": True},
    )

    position: int | None = Field(default=None, sa_column=Column(_NUMBER, primary_key=True))
    id: str
    stream: str
    sequence: int
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    actor: str
    cause: str | None
    name: str
    version: int
    # The text itself is hashed, so it is kept as it was written; NULL once it has been erased.
    payload: str | None = Field(sa_column=Column(Text))
    payload_hash: bytes | None = Field(default=None, sa_column=Column(LargeBinary(32)))
    link: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    dedupe: str | None = Field(default=None, unique=True)


class StreamRow(Table, table=True):
    """Where each stream is, and whose it is."""

    __tablename__ = "stream"
    __table_args__ = (
        Index("stream_of_subject", "subject", "turned"),
        Index("stream_holder", "holder"),
    )

    stream: str = Field(primary_key=True)
    sequence: int
    link: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    subject: str | None
    # A receipt touches a stream, but only its subject turns to it.
    turned: int = Field(sa_column=Column(BigInteger, nullable=False))
    touched: int = Field(sa_column=Column(BigInteger, nullable=False))
    # The worker that has a live call here.
    holder: str | None = None


class SnapshotRow(Table, table=True):
    """The state of a long conversation at some event of it; made anew from the log at any time."""

    __tablename__ = "snapshot"

    stream: str = Field(primary_key=True)
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    payload: str = Field(sa_column=Column(Text, nullable=False))


class OutboxRow(Table, table=True):
    """Promised effects: due -> claimed -> sending -> done, or due again; open after a crash."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_due", "state", "kind", "due"),
        partial("outbox_waiting", "kind priority due turn", "state = 'due'"),
        partial("outbox_recipient", "recipient turn", "state <> 'done'"),
        partial("outbox_until", "state until", "until IS NOT NULL"),
    )

    id: str = Field(primary_key=True)
    kind: str
    stream: str
    state: str
    due: int = Field(sa_column=Column(BigInteger, nullable=False))
    attempts: int
    payload: str = Field(sa_column=Column(Text, nullable=False))
    # The worker that has it in hand.
    holder: str | None = None
    # Of texts: a keyed hash of the number, and the place in its queue.
    recipient: str | None = None
    turn: int | None = Field(default=None, sa_column=Column(BigInteger))
    # It lets later ones go first until then.
    not_before: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))
    until: int | None = Field(default=None, sa_column=Column(BigInteger))
    priority: int = Field(sa_column=Column(Integer, nullable=False, server_default="1"))
    message_class: str = Field(
        sa_column=Column(String, nullable=False, server_default="at_most_once")
    )
    # How often its fate was lost.
    doubts: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))


class TimerRow(Table, table=True):
    """Reminders."""

    __tablename__ = "timer"

    id: str = Field(primary_key=True)
    stream: str
    kind: str
    due: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))


class CheckpointRow(Table, table=True):
    """How far each consumer of the log has come."""

    __tablename__ = "checkpoint"

    consumer: str = Field(primary_key=True)
    position: int = Field(sa_column=Column(_PLACE, nullable=False))


class LeaseRow(Table, table=True):
    """Who does what there may be only one of, until when."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True)
    owner: str
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False))
    until: int = Field(sa_column=Column(BigInteger, nullable=False))


class OnceRow(Table, table=True):
    """What has been done, and must not be done again."""

    __tablename__ = "once"

    job: str = Field(primary_key=True)
    slot: str = Field(primary_key=True)


class WireRow(Table, table=True):
    """Which message a carrier's message id belongs to."""

    __tablename__ = "wire"
    __table_args__ = (Index("wire_folded", "carrier", "folded"),)

    carrier: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    message: str
    stream: str
    # Without regard to case and leading zeros: what `smpp.ids` looks for.
    folded: str | None = None
    at: int | None = Field(default=None, sa_column=Column(BigInteger))


class EarlyReceiptRow(Table, table=True):
    """Receipts that came before the carrier's id was known to us."""

    __tablename__ = "early_receipt"
    __table_args__ = (
        Index("early_receipt_folded", "carrier", "folded"),
        Index("early_receipt_looked", "looked", "at"),
    )

    number: int | None = Field(default=None, sa_column=Column(_NUMBER, primary_key=True))
    carrier: str = Field(index=True)
    id: str = Field(index=True)
    state: str
    error: str
    at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    folded: str | None = None
    # Whether its text was looked for once more.
    looked: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))


class IdRuleRow(Table, table=True):
    """How a carrier writes ids in receipts: as it was set, or how often each rule was the one."""

    __tablename__ = "id_rule"

    carrier: str = Field(primary_key=True)
    given: str | None
    same: int = Field(sa_column=Column(BigInteger, nullable=False))
    receipt_decimal: int = Field(sa_column=Column(BigInteger, nullable=False))
    receipt_hex: int = Field(sa_column=Column(BigInteger, nullable=False))


class ArrivalRow(Table, table=True):
    """What has come by deliver_sm and is no fact yet."""

    __tablename__ = "arrival"
    __table_args__ = (Index("arrival_kind", "carrier", "kind", "at"),)

    id: str = Field(primary_key=True)
    carrier: str
    kind: str
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    payload: str = Field(sa_column=Column(Text, nullable=False))


class SuppressionRow(Table, table=True):
    """Who wants no texts of a sender, or of anybody (`*`); it outlives the person's erasure."""

    __tablename__ = "suppression"

    subject: str = Field(primary_key=True)
    sender: str = Field(primary_key=True)
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    how: str
    word: str
    stream: str


class SendingRow(Table, table=True):
    """The texts that the rules have let through in the last day; `recipient` is a subject."""

    __tablename__ = "sending"
    __table_args__ = (
        Index("sending_recipient", "recipient", "at"),
        Index("sending_at", "at"),
    )

    message: str = Field(primary_key=True)
    recipient: str
    prefix: str
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    why: str


class SendingCountRow(Table, table=True):
    """What counts against a limit until some moment."""

    __tablename__ = "sending_count"
    __table_args__ = (Index("sending_count_until", "until"),)

    key: str = Field(primary_key=True)
    until: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    value: int = Field(sa_column=Column(BigInteger, nullable=False))


class SealRow(Table, table=True):
    """Signed checkpoints of the log, and the tree to go on from."""

    __tablename__ = "seal"

    number: int = Field(primary_key=True)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    position: int = Field(sa_column=Column(_PLACE, nullable=False))
    tree: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: str = Field(sa_column=Column(Text, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))


class TileRow(Table, table=True):
    """The sealed leaves in runs of 256: a proof reads few of them, an audit names what differs."""

    __tablename__ = "tile"

    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    leaves: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    # NULL while it is not full.
    root: bytes | None = Field(default=None, sa_column=Column(LargeBinary(32)))


class MetaRow(Table, table=True):
    """What the database says of itself."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str
