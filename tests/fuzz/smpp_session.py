"""A whole session, bound, with messages in its window, fed by an SMSC that may send anything.

Invariant: nothing is raised; what it tells, what it writes and where it stands are the same
whether the octets come whole or one by one; it writes no more than the octets can ask for; every
message in the window has an answer or is told to be unknown when the session ends.
"""

from __future__ import annotations

from smpp.codec import encode
from smpp.constants import Command
from smpp.pdu import Bind, BindResp, SubmitSm
from smpp.protocol import Ended, Event, Refused, Session, State, Submitted

_MODES = (Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER)


def one(data: bytes) -> None:
    """Raises if the invariant does not hold."""
    for mode in _MODES:
        whole = heard(mode, [data])
        drops = heard(mode, [data[at : at + 1] for at in range(len(data))])
        assert whole == drops


def heard(mode: Command, chunks: list[bytes]) -> tuple[list[Event], bytes, State]:
    """What a session makes of the chunks."""
    session = Session(Bind(mode=mode, system_id="fuzz", password=""))
    session.connect(0.0)
    session.data_to_send()
    events = session.receive(encode(BindResp(sequence=1, mode=mode)), 0.0)
    asked = [session.submit(SubmitSm(), 0.0) for _ in range(3)]
    assert session.data_to_send()
    for chunk in chunks:
        events += session.receive(chunk, 0.0)
    written = session.data_to_send()
    # The shortest PDU has 16 octets, and its answer not many more.
    assert len(written) <= 64 + 2 * sum(map(len, chunks))
    state = session.state
    events += session.tick(1.0) + session.lost("the fuzz is over")
    settled = [e.sequence for e in events if isinstance(e, Submitted | Refused)]
    settled += [sequence for e in events if isinstance(e, Ended) for sequence in e.pending]
    assert sorted(settled) == asked
    assert session.over
    return events, written, state
