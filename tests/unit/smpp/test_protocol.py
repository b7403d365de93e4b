"""The session as a table, with a clock that only the test moves."""

import struct
from typing import Any

import pytest

from smpp import hot
from smpp.address import Address
from smpp.codec import FrameReader, decode, encode
from smpp.constants import HEADER, MAX_SEQUENCE, Command, Status, Tag
from smpp.errors import LocalProtocolError, NotSent
from smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)
from smpp.protocol import (
    NEXT,
    Answered,
    AnsweredLate,
    Available,
    BindFailed,
    Bound,
    Delivered,
    Ear,
    Ended,
    Event,
    Move,
    Refused,
    Request,
    Session,
    Skipped,
    State,
    Submitted,
    Unanswered,
)

TEXT = SubmitSm(short_message=b"hello")


class Line:
    """A session and the SMSC's end of the line."""

    def __init__(
        self, mode: Command = Command.BIND_TRANSCEIVER, *, listen: bool = False, **options: Any
    ) -> None:
        options.setdefault("enquire_link_interval", 30.0)
        self.mode = mode
        self.session = Session(Bind(mode=mode, system_id="segue", password="secret"), **options)
        if listen:
            self.session.listen(0.0)
        else:
            self.session.connect(0.0)

    def sent(self) -> list[Pdu]:
        return [decode(f) for f in FrameReader().feed(self.session.data_to_send())]

    def hear(self, *pdus: Pdu, now: float = 0.0) -> list[Event]:
        return self.session.receive(b"".join(map(encode, pdus)), now)

    def bound(self) -> "Line":
        (bind,) = self.sent()
        assert self.hear(BindResp(sequence=bind.sequence, mode=self.mode)) == [Bound("")]
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


@pytest.mark.parametrize("command_id", [0x00000104, 0x00010203, 0x7FFFFFFF])
def test_an_unknown_command_is_nacked_and_the_session_kept(command_id: int) -> None:
    line = Line().bound()
    (event,) = line.hear(Unknown(sequence=3, command_id=command_id, status=0, body=b"x"))
    assert isinstance(event, Skipped)
    assert line.sent() == [GenericNack(sequence=3, status=Status.ESME_RINVCMDID)]
    assert line.session.state is State.BOUND


@pytest.mark.parametrize("command_id", [0x80000103, 0x80001234, 0x0000000B, 0x00000102])
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
    line.session._window._sequence = 1  # as after another two thousand million
    assert line.session.submit(TEXT, 0.0) == 3


def test_a_batch_wraps_and_skips_too() -> None:
    line = Line(first_sequence=MAX_SEQUENCE - 2, window=10)
    line.sent()
    line.hear(BindResp(sequence=MAX_SEQUENCE - 2))
    body = encode(TEXT)[HEADER:]
    sequences = [MAX_SEQUENCE - 1, MAX_SEQUENCE, 1, 2]
    assert list(line.session.submit_batch([body] * 4, "abcd", 0.0)) == sequences
    assert [pdu.sequence for pdu in line.sent()] == sequences
    line.session._window._sequence = MAX_SEQUENCE  # as after another two thousand million
    assert list(line.session.submit_batch([body] * 2, "ef", 0.0)) == [3, 4]


def test_a_session_is_used_once_and_unbound_once() -> None:
    line = Line().bound()
    with pytest.raises(LocalProtocolError):
        line.session.connect(0.0)
    line.session.unbind(0.0)
    with pytest.raises(LocalProtocolError):
        line.session.unbind(0.0)


# -- how it binds -----------------------------------------------------------------------------

MODES = [Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER, Command.BIND_RECEIVER]


@pytest.mark.parametrize("mode", MODES)
def test_it_binds_as_it_was_told(mode: Command) -> None:
    line = Line(mode)
    assert line.sent() == [Bind(sequence=1, mode=mode, system_id="segue", password="secret")]
    assert line.hear(BindResp(sequence=1, mode=mode, system_id="smsc")) == [Bound("smsc")]


def test_a_receiver_submits_nothing_and_is_delivered_to() -> None:
    line = Line(Command.BIND_RECEIVER).bound()
    assert not line.session.sends
    assert line.session.room == 0
    with pytest.raises(NotSent, match="receiver"):
        line.session.submit(TEXT, 0.0)
    with pytest.raises(NotSent, match="receiver"):
        line.session.request(QuerySm(message_id="A"), 0.0)
    assert line.hear(DeliverSm(sequence=3)) == [Delivered(DeliverSm(sequence=3))]


def test_the_answer_to_another_kind_of_bind_is_no_answer_to_ours() -> None:
    line = Line()
    line.sent()
    (event,) = line.hear(BindResp(sequence=1, mode=Command.BIND_RECEIVER))
    assert event == Skipped(0x80000001, "does not fit its request")
    assert line.session.state is State.BINDING


def test_an_outbind_is_waited_for_and_answered_by_a_bind() -> None:
    line = Line(Command.BIND_RECEIVER, listen=True, outbind=("smsc", "pass"))
    assert line.sent() == []
    assert line.hear(Outbind(sequence=1, system_id="smsc", password="pass")) == []
    line.bound()
    assert line.session.state is State.BOUND


def test_an_outbind_with_a_wrong_password_ends_the_session() -> None:
    line = Line(listen=True, outbind=("smsc", "pass"))
    events = line.hear(Outbind(sequence=1, system_id="smsc", password="guess"))
    assert events == [Ended("outbind with a wrong name or password")]
    assert line.sent() == []


def test_whoever_connects_and_sends_no_outbind_is_not_waited_for() -> None:
    line = Line(listen=True, response_timeout=10.0)
    assert line.session.next_deadline() == 10.0
    assert line.session.tick(10.0) == [Ended("no answer while open")]


def test_nothing_is_delivered_before_the_bind_is_asked_for() -> None:
    line = Line(listen=True)
    (event,) = line.hear(DeliverSm(sequence=9))
    assert isinstance(event, Skipped)
    assert line.sent() == [DeliverSmResp(sequence=9, status=Status.ESME_RINVBNDSTS)]


def test_an_outbind_on_a_bind_is_out_of_place() -> None:
    line = Line().bound()
    (event,) = line.hear(Outbind(sequence=1, system_id="smsc", password=""))
    assert event == Skipped(Command.OUTBIND, "out of place")
    assert line.sent() == []


def test_whoever_connects_may_unbind_before_the_outbind() -> None:
    line = Line(listen=True)
    assert line.hear(Unbind(sequence=4)) == [Ended("unbound by the SMSC")]
    assert line.sent() == [UnbindResp(sequence=4)]


# -- requests ---------------------------------------------------------------------------------

REQUESTS: list[tuple[Request, Pdu]] = [
    (QuerySm(message_id="A"), QuerySmResp(sequence=2, message_id="A", message_state=2)),
    (CancelSm(message_id="A"), CancelSmResp(sequence=2)),
    (ReplaceSm(message_id="A", short_message=b"new"), ReplaceSmResp(sequence=2)),
    (DataSm(tlvs=((Tag.MESSAGE_PAYLOAD, b"hi"),)), DataSmResp(sequence=2, message_id="B")),
]


@pytest.mark.parametrize(("request_pdu", "answer"), REQUESTS)
def test_a_request_gets_its_answer(request_pdu: Request, answer: Pdu) -> None:
    line = Line().bound()
    assert line.session.request(request_pdu, 0.0) == 2
    (sent,) = line.sent()
    assert (type(sent), sent.sequence) == (type(request_pdu), 2)
    assert line.hear(answer) == [Answered(2, answer)]
    (again,) = line.hear(answer)
    assert isinstance(again, Skipped)


def test_a_request_may_be_nacked() -> None:
    line = Line().bound()
    sequence = line.session.request(QuerySm(message_id="A"), 0.0)
    nack = GenericNack(sequence=sequence, status=Status.ESME_RINVCMDID)
    assert line.hear(nack) == [Answered(sequence, nack)]


def test_a_request_is_not_waited_for_for_ever() -> None:
    line = Line(response_timeout=10.0).bound()
    sequence = line.session.request(QuerySm(message_id="A"), 3.0)
    assert line.session.next_deadline() == 13.0
    assert line.session.tick(13.0) == [Unanswered(sequence)]


def test_too_many_requests_are_not_written() -> None:
    line = Line().bound()
    for _ in range(100):
        line.session.request(QuerySm(message_id="A"), 0.0)
    with pytest.raises(NotSent, match="too many"):
        line.session.request(QuerySm(message_id="A"), 0.0)
    assert line.session.room == 10  # they take no room from texts


def test_a_request_that_no_pdu_can_carry_is_not_waited_for() -> None:
    line = Line(response_timeout=10.0).bound()
    with pytest.raises(LocalProtocolError):
        line.session.request(QuerySm(message_id="A" * 66), 0.0)
    with pytest.raises(LocalProtocolError):
        line.session.request(Unknown(sequence=0, command_id=0x80000003, status=0), 0.0)
    assert line.sent() == []
    assert line.session.tick(10.0) == []


def test_a_response_that_does_not_fit_its_request_settles_nothing() -> None:
    line = Line(response_timeout=10.0).bound()
    text = line.session.submit(TEXT, 0.0)
    query = line.session.request(QuerySm(message_id="A"), 0.0)
    events = line.hear(
        DeliverSmResp(sequence=text),
        QuerySmResp(sequence=text),
        SubmitSmResp(sequence=query, message_id="B"),
        CancelSmResp(sequence=query),
    )
    assert [e.reason for e in events if isinstance(e, Skipped)] == ["does not fit its request"] * 4
    assert line.session.tick(10.0) == [Unanswered(text), Unanswered(query)]


def test_the_end_of_the_session_ends_its_requests_too() -> None:
    line = Line(response_timeout=10.0).bound()
    line.session.request(QuerySm(message_id="A"), 0.0)
    line.session.lost("reset")
    assert line.session.tick(10.0) == []


# -- what else comes in -----------------------------------------------------------------------


def test_data_sm_is_delivered_as_a_deliver_sm_and_answered_as_data_sm() -> None:
    line = Line().bound()
    payload = ((Tag.MESSAGE_PAYLOAD, b"hello"), (Tag.RECEIPTED_MESSAGE_ID, b"A1\0"))
    source = Address.of("+33123456789")
    (event,) = line.hear(DataSm(sequence=9, source=source, esm_class=4, tlvs=payload))
    wanted = DeliverSm(sequence=9, source=source, esm_class=4, tlvs=payload)
    assert event == Delivered(wanted)
    assert wanted.octets == b"hello"
    line.hear(DeliverSm(sequence=10))
    line.session.answer_all([9, 10], Status.ESME_RX_T_APPN)
    assert line.sent() == [
        DataSmResp(sequence=9, status=Status.ESME_RX_T_APPN),
        DeliverSmResp(sequence=10, status=Status.ESME_RX_T_APPN),
    ]
    line.session.answer(9)  # a number is the SMSC's to use again
    assert line.sent() == [DeliverSmResp(sequence=9)]


def test_a_malformed_data_sm_is_answered_and_skipped() -> None:
    line = Line().bound()
    line.session.receive(struct.pack(">IIII", 20, Command.DATA_SM, 0, 9) + b"\0\1\1x", 0.0)
    (answer,) = line.sent()
    assert isinstance(answer, DataSmResp)
    assert answer.status == Status.ESME_RINVCMDLEN


def test_an_alert_notification_is_told_and_never_answered() -> None:
    line = Line().bound()
    handset, esme = Address.of("+33123456789"), Address.of("36200")
    events = line.hear(AlertNotification(sequence=5, source=handset, esme=esme))
    assert events == [Available(handset, esme)]
    assert line.sent() == []


def test_a_late_nack_is_late_too() -> None:
    line = Line(response_timeout=10.0).bound()
    sequence = line.session.submit(TEXT, 0.0)
    line.session.tick(10.0)
    nack = GenericNack(sequence=sequence, status=Status.ESME_RSYSERR)
    assert line.hear(nack) == [AnsweredLate(sequence, Status.ESME_RSYSERR, "")]


def test_each_message_has_its_own_deadline() -> None:
    line = Line(response_timeout=10.0).bound()
    first, second = line.session.submit(TEXT, 0.0), line.session.submit(TEXT, 4.0)
    assert line.session.next_deadline() == 10.0
    assert line.session.tick(10.0) == [Unanswered(first)]
    assert line.session.next_deadline() == 14.0
    assert line.session.tick(14.0) == [Unanswered(second)]


def test_only_so_many_late_answers_are_remembered() -> None:
    line = Line(window=1500, response_timeout=10.0, enquire_link_interval=99.0).bound()
    first = line.session.submit(TEXT, 0.0)
    for _ in range(1000):
        last = line.session.submit(TEXT, 0.0)
    line.session.tick(10.0)
    events = line.hear(SubmitSmResp(sequence=first), SubmitSmResp(sequence=last))
    assert [type(event) for event in events] == [Skipped, AnsweredLate]


def test_a_number_that_may_get_a_late_answer_is_not_used_again() -> None:
    line = Line(response_timeout=10.0, enquire_link_interval=99.0).bound()
    late = line.session.submit(TEXT, 0.0)
    line.session.tick(10.0)
    query = line.session.request(QuerySm(message_id="A"), 10.0)
    line.session._window._sequence = late  # as after another two thousand million
    assert line.session.submit(TEXT, 10.0) == query + 1


# -- while we do not read ---------------------------------------------------------------------


def test_while_we_do_not_read_nobody_is_late() -> None:
    line = Line(response_timeout=10.0, enquire_link_interval=30.0).bound()
    text = line.session.submit(TEXT, 0.0)
    query = line.session.request(QuerySm(message_id="A"), 2.0)
    line.session.hold(8.0)
    assert line.session.next_deadline() is None
    assert line.session.tick(1000.0) == []
    line.session.release(1008.0)
    assert line.session.tick(1009.9) == []
    assert line.session.tick(1010.0) == [Unanswered(text)]
    assert line.session.tick(1012.0) == [Unanswered(query)]


def test_an_enquiry_waits_while_we_do_not_read() -> None:
    line = Line(response_timeout=10.0, enquire_link_interval=30.0).bound()
    line.session.hold(29.0)
    assert line.session.tick(500.0) == []
    assert line.sent() == []
    line.session.release(529.0)
    line.session.tick(530.0)
    assert line.sent() == [EnquireLink(sequence=2)]
    line.session.hold(535.0)
    line.session.release(635.0)
    assert line.session.tick(639.9) == []
    assert line.session.tick(640.0) == [Ended("no answer to enquire_link")]


def test_an_unbind_is_not_waited_for_longer_because_we_do_not_read() -> None:
    line = Line(response_timeout=10.0).bound()
    line.session.hold(0.0)
    line.session.unbind(0.0)
    assert line.session.next_deadline() == 10.0
    assert line.session.tick(10.0) == [Ended("no answer while unbinding")]


# -- for speed --------------------------------------------------------------------------------


class Notebook:
    """An ear that writes down every call."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.ear = Ear(
            answered=lambda *facts: self.heard.append(("answered", *facts)),
            unanswered=lambda *facts: self.heard.append(("unanswered", *facts)),
            late=lambda *facts: self.heard.append(("late", *facts)),
            delivered=self.heard.append,
            ended=lambda *facts: self.heard.append(("ended", *facts)),
            happened=self.heard.append,
        )


def test_octets_are_submitted_and_the_ear_told_by_item() -> None:
    notebook = Notebook()
    line = Line(window=3, response_timeout=10.0, ear=notebook.ear)
    assert line.hear(BindResp(sequence=1)) == []
    line.sent()
    body = encode(TEXT)[HEADER:]
    line.session.submit_octets(body, "a", 0.0)
    with pytest.raises(NotSent, match="full"):
        line.session.submit_batch([body] * 3, "bcd", 1.0)
    line.session.submit_batch([body] * 2, "bc", 1.0)
    with pytest.raises(NotSent, match="full"):
        line.session.submit_octets(body, "d", 0.0)
    assert line.sent() == [SubmitSm(sequence=n, short_message=b"hello") for n in (2, 3, 4)]
    line.hear(SubmitSmResp(sequence=3, message_id="B"), DeliverSm(sequence=1), now=5.0)
    line.session.tick(10.0)
    line.hear(SubmitSmResp(sequence=2, message_id="A"), now=10.0)
    line.session.lost("reset")
    assert notebook.heard == [
        Bound(""),
        ("answered", 3, "b", 1.0, 0, "B"),
        DeliverSm(sequence=1),
        ("unanswered", 2, "a"),
        ("late", 2, "a", 0, "A"),
        ("ended", "reset", [(4, "c")]),
    ]


def test_many_deliver_sm_are_answered_in_one_go() -> None:
    line = Line().bound()
    line.hear(*(DeliverSm(sequence=n) for n in range(1, 101)))
    line.session.answer_all(range(1, 101))
    octets = line.session.data_to_send()
    assert octets == hot.deliver_sm_resps(range(1, 101), 0)
    assert octets == b"".join(encode(DeliverSmResp(sequence=n)) for n in range(1, 101))


@pytest.mark.parametrize("length", [*range(16), 0x00011001, 0xFFFFFFFF])
def test_a_length_that_no_pdu_has_ends_the_session_octet_by_octet_too(length: int) -> None:
    stream = struct.pack(">I", length) + b"\0" * 12
    whole, drops = Line().bound(), Line().bound()
    events = whole.session.receive(stream, 0.0)
    assert events == [Ended(f"command_length {length} is absurd")]
    assert [e for o in stream for e in drops.session.receive(bytes((o,)), 0.0)] == events
    assert drops.session.over


def test_a_long_pdu_that_comes_octet_by_octet_is_read_once() -> None:
    line = Line().bound()
    pdu = DeliverSm(sequence=1, tlvs=((Tag.MESSAGE_PAYLOAD, b"x" * 60_000),))
    stream = encode(pdu) + encode(EnquireLink(sequence=2))
    events = [e for o in stream for e in line.session.receive(bytes((o,)), 0.0)]
    assert events == [Delivered(pdu)]
    assert line.sent() == [EnquireLinkResp(sequence=2)]
