"""The session as a table, with a clock that only the test moves."""

import struct

import pytest

from smpp.codec import FrameReader, decode, encode
from smpp.constants import MAX_SEQUENCE, Command, Status
from smpp.errors import LocalProtocolError, NotSent
from smpp.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)
from smpp.protocol import (
    NEXT,
    AnsweredLate,
    BindFailed,
    Bound,
    Delivered,
    Ended,
    Event,
    Move,
    Refused,
    Session,
    Skipped,
    State,
    Submitted,
    Unanswered,
)

TEXT = SubmitSm(short_message=b"hello")


class Line:
    """A session and the SMSC's end of the line."""

    def __init__(self, **options: float) -> None:
        options.setdefault("enquire_link_interval", 30.0)
        self.session = Session(
            Bind(system_id="segue", password="secret"),
            **options,  # type: ignore[arg-type]  # window and first_sequence are whole numbers
        )
        self.session.connect(0.0)

    def sent(self) -> list[Pdu]:
        return [decode(f) for f in FrameReader().feed(self.session.data_to_send())]

    def hear(self, *pdus: Pdu, now: float = 0.0) -> list[Event]:
        return self.session.receive(b"".join(map(encode, pdus)), now)

    def bound(self) -> "Line":
        (bind,) = self.sent()
        assert self.hear(BindResp(sequence=bind.sequence)) == [Bound("")]
        return self


def test_every_state_can_be_lost_and_none_is_a_dead_end() -> None:
    for state in State:
        assert any(source is state for source, _ in NEXT)
        if state is not State.CLOSED:
            assert NEXT[state, Move.LOST] is State.CLOSED


def test_connecting_binds_as_a_transceiver() -> None:
    line = Line()
    assert line.sent() == [Bind(sequence=1, system_id="segue", password="secret")]
    assert line.session.state is State.BINDING
    with pytest.raises(NotSent):
        line.session.submit(TEXT, 0.0)


def test_other_pdus_may_come_before_the_answer_to_the_bind() -> None:
    line = Line()
    line.sent()
    events = line.hear(DeliverSm(sequence=1), EnquireLink(sequence=2), BindResp(sequence=1))
    assert events == [Delivered(DeliverSm(sequence=1)), Bound("")]
    assert line.sent() == [EnquireLinkResp(sequence=2)]


def test_a_refused_bind_ends_the_session() -> None:
    line = Line()
    events = line.hear(BindResp(sequence=1, status=Status.ESME_RINVPASWD))
    assert events == [
        BindFailed(Status.ESME_RINVPASWD),
        Ended("bind refused: ESME_RINVPASWD"),
    ]
    assert line.session.over


@pytest.mark.parametrize("sequence", [0, 1])
def test_a_bind_may_be_refused_by_generic_nack(sequence: int) -> None:
    line = Line()
    events = line.hear(GenericNack(sequence=sequence, status=Status.ESME_RINVCMDID))
    assert events[0] == BindFailed(Status.ESME_RINVCMDID)


def test_a_bind_that_is_not_answered_ends_in_time() -> None:
    line = Line(response_timeout=10.0)
    assert line.session.next_deadline() == 10.0
    assert line.session.tick(9.9) == []
    assert line.session.tick(10.0) == [Ended("no answer while binding")]


def test_the_window_is_full_until_an_answer_comes() -> None:
    line = Line(window=2).bound()
    first, second = line.session.submit(TEXT, 0.0), line.session.submit(TEXT, 0.0)
    assert line.session.room == 0
    with pytest.raises(NotSent, match="full"):
        line.session.submit(TEXT, 0.0)
    events = line.hear(
        SubmitSmResp(sequence=second, message_id="B"), SubmitSmResp(sequence=first, status=0x400)
    )
    assert events == [Submitted(second, "B"), Refused(first, 0x400)]
    assert line.session.room == 2


def test_a_message_that_no_pdu_can_carry_takes_no_room() -> None:
    line = Line().bound()
    with pytest.raises(LocalProtocolError):
        line.session.submit(SubmitSm(short_message=b"x" * 255), 0.0)
    assert line.session.pending == 0


def test_an_answer_after_its_deadline_is_late_not_unknown() -> None:
    line = Line(response_timeout=10.0).bound()
    sequence = line.session.submit(TEXT, 0.0)
    assert line.session.tick(10.0) == [Unanswered(sequence)]
    assert line.session.room == 10
    answer = SubmitSmResp(sequence=sequence, message_id="A")
    assert line.hear(answer) == [AnsweredLate(sequence, 0, "A")]
    (event,) = line.hear(answer)
    assert isinstance(event, Skipped)


def test_a_nack_is_matched_by_its_sequence() -> None:
    line = Line().bound()
    sequence = line.session.submit(TEXT, 0.0)
    assert line.hear(GenericNack(sequence=sequence, status=Status.ESME_RTHROTTLED)) == [
        Refused(sequence, Status.ESME_RTHROTTLED)
    ]


def test_a_nack_with_sequence_0_is_tolerated() -> None:
    line = Line().bound()
    line.session.submit(TEXT, 0.0)
    (event,) = line.hear(GenericNack(sequence=0, status=Status.ESME_RINVCMDID))
    assert isinstance(event, Skipped)
    assert line.session.pending == 1
    assert line.session.state is State.BOUND


def test_a_quiet_line_is_asked_and_a_dead_one_closed() -> None:
    line = Line(enquire_link_interval=30.0, response_timeout=10.0).bound()
    assert line.session.next_deadline() == 30.0
    line.session.tick(30.0)
    assert line.sent() == [EnquireLink(sequence=2)]
    assert line.session.next_deadline() == 40.0
    assert line.session.tick(40.0) == [Ended("no answer to enquire_link")]


def test_any_pdu_shows_that_the_line_is_up() -> None:
    line = Line(enquire_link_interval=30.0, response_timeout=10.0).bound()
    line.session.tick(30.0)
    line.hear(EnquireLink(sequence=5), now=39.0)
    assert line.session.tick(40.0) == []
    assert line.session.next_deadline() == 69.0


def test_half_a_pdu_and_then_silence_ends_the_session() -> None:
    line = Line(enquire_link_interval=30.0, response_timeout=10.0).bound()
    stuck = encode(DeliverSm(sequence=1))
    for now in range(0, 30):  # an octet a second proves nothing
        line.session.receive(stuck[now : now + 1], float(now))
    line.session.tick(30.0)
    assert line.session.tick(40.0) == [Ended("no answer to enquire_link")]


def test_the_smscs_enquiry_is_answered_at_once() -> None:
    line = Line().bound()
    line.hear(EnquireLink(sequence=77))
    assert line.sent() == [EnquireLinkResp(sequence=77)]


def test_a_deliver_sm_is_answered_when_we_say_so() -> None:
    line = Line().bound()
    assert line.hear(DeliverSm(sequence=9)) == [Delivered(DeliverSm(sequence=9))]
    assert line.sent() == []
    line.session.answer(9, Status.ESME_RX_T_APPN)
    assert line.sent() == [DeliverSmResp(sequence=9, status=Status.ESME_RX_T_APPN)]


def test_a_malformed_deliver_sm_is_answered_and_skipped() -> None:
    line = Line().bound()
    broken = struct.pack(">IIII", 20, Command.DELIVER_SM, 0, 9) + b"\0\1\1x"
    (event,) = line.session.receive(broken + encode(EnquireLink(sequence=10)), 0.0)
    assert isinstance(event, Skipped)
    assert line.sent() == [
        DeliverSmResp(sequence=9, status=Status.ESME_RINVCMDLEN),
        EnquireLinkResp(sequence=10),
    ]
    assert line.session.state is State.BOUND


@pytest.mark.parametrize("command_id", [0x00000103, 0x00010203, 0x7FFFFFFF])
def test_an_unknown_command_is_nacked_and_the_session_kept(command_id: int) -> None:
    line = Line().bound()
    (event,) = line.hear(Unknown(sequence=3, command_id=command_id, status=0, body=b"x"))
    assert isinstance(event, Skipped)
    assert line.sent() == [GenericNack(sequence=3, status=Status.ESME_RINVCMDID)]
    assert line.session.state is State.BOUND


@pytest.mark.parametrize("command_id", [0x80000103, 0x0000000B, 0x00000102])
def test_what_is_never_answered_is_not_nacked(command_id: int) -> None:
    line = Line().bound()
    line.hear(Unknown(sequence=3, command_id=command_id, status=0))
    assert line.sent() == []


def test_a_command_for_an_smsc_is_nacked() -> None:
    line = Line().bound()
    line.hear(SubmitSm(sequence=4), Bind(sequence=5, system_id="x", password=""))
    assert [type(pdu) for pdu in line.sent()] == [GenericNack, GenericNack]


def test_answers_to_nothing_are_skipped() -> None:
    line = Line().bound()
    events = line.hear(
        BindResp(sequence=1), DeliverSmResp(sequence=4), UnbindResp(sequence=5),
        EnquireLinkResp(sequence=6),
    )  # fmt: skip
    assert [type(event) for event in events] == [Skipped, Skipped]
    assert line.session.state is State.BOUND


def test_an_absurd_length_ends_the_session_with_a_nack() -> None:
    line = Line().bound()
    sequence = line.session.submit(TEXT, 0.0)
    line.sent()
    events = line.session.receive(b"\xff" * 16, 0.0)
    assert events == [Ended("command_length 4294967295 is absurd", (sequence,))]
    assert line.sent() == [GenericNack(sequence=0, status=Status.ESME_RINVCMDLEN)]
    assert line.session.receive(encode(EnquireLink(sequence=1)), 0.0) == []


def test_unbinding_waits_for_its_answer() -> None:
    line = Line().bound()
    line.session.unbind(0.0)
    assert line.sent() == [Unbind(sequence=2)]
    assert line.hear(UnbindResp(sequence=2)) == [Ended("unbound")]
    assert line.session.next_deadline() is None


def test_unbinding_does_not_wait_for_ever() -> None:
    line = Line(response_timeout=10.0).bound()
    line.session.unbind(5.0)
    assert line.session.tick(15.0) == [Ended("no answer while unbinding")]


def test_both_may_unbind_at_once() -> None:
    line = Line().bound()
    line.session.unbind(0.0)
    line.sent()
    line.hear(Unbind(sequence=8))
    assert line.sent() == [UnbindResp(sequence=8)]
    assert line.hear(UnbindResp(sequence=2)) == [Ended("unbound")]


def test_the_smscs_unbind_is_answered_and_the_last_answers_are_taken() -> None:
    line = Line().bound()
    sequence = line.session.submit(TEXT, 0.0)
    line.sent()
    assert line.hear(Unbind(sequence=8)) == []
    assert line.sent() == [UnbindResp(sequence=8)]
    with pytest.raises(NotSent):
        line.session.submit(TEXT, 0.0)
    assert line.hear(SubmitSmResp(sequence=sequence, message_id="A")) == [
        Submitted(sequence, "A"),
        Ended("unbound by the SMSC"),
    ]


def test_the_smscs_unbind_ends_at_the_deadline_with_what_is_unknown() -> None:
    line = Line(response_timeout=10.0).bound()
    line.session.submit(TEXT, 3.0)
    line.hear(Unbind(sequence=8), now=1.0)
    (ended,) = line.session.tick(11.0)
    assert ended == Ended("no answer while unbound", (2,))


def test_a_lost_transport_leaves_what_was_pending_unknown() -> None:
    line = Line().bound()
    sequence = line.session.submit(TEXT, 0.0)
    assert line.session.lost("reset") == [Ended("reset", (sequence,))]
    assert line.session.lost("again") == []
    assert line.session.data_to_send() == b""


def test_sequences_wrap_and_skip_what_is_in_flight() -> None:
    line = Line(first_sequence=MAX_SEQUENCE, window=10)
    line.sent()
    line.hear(BindResp(sequence=MAX_SEQUENCE))
    assert [line.session.submit(TEXT, 0.0) for _ in range(2)] == [1, 2]
    line.session._sequence = 1  # as after another two thousand million
    assert line.session.submit(TEXT, 0.0) == 3


def test_a_session_is_used_once_and_unbound_once() -> None:
    line = Line().bound()
    with pytest.raises(LocalProtocolError):
        line.session.connect(0.0)
    line.session.unbind(0.0)
    with pytest.raises(LocalProtocolError):
        line.session.unbind(0.0)
