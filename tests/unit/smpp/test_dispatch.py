"""Which waiting text goes to which bind next."""

from smpp.dispatch import Dispatch, Text


def text(recipient: str, parts: int = 1) -> Text:
    return Text(recipient=recipient, parts=parts)


def test_what_comes_back_waits_while_another_of_its_recipient_is_still_under_way() -> None:
    dispatch = Dispatch[Text](2, 10)
    one, two = text("anna"), text("anna")
    dispatch.add(one)
    dispatch.add(two)
    assert dispatch.next([5, 0]) is one
    assert dispatch.next([5, 0]) is two
    dispatch.back(one)
    assert dispatch.next([0, 5]) is None  # two may be written on the first bind at any moment
    dispatch.back(two)
    assert dispatch.next([0, 5]) is one
    assert dispatch.next([0, 5]) is two
    assert (one.bind, two.bind) == (1, 1)


def test_a_bind_that_a_recipient_has_left_has_no_claim_on_its_texts() -> None:
    dispatch = Dispatch[Text](2, 10)
    one, two, three = text("anna"), text("anna"), text("anna")
    dispatch.add(one)
    assert dispatch.next([5, 0]) is one
    dispatch.add(two)  # waits for the first bind
    dispatch.settle(one)
    dispatch.add(three)
    assert dispatch.next([0, 5]) is two
    assert dispatch.next([0, 5]) is three
    dispatch.back(two)
    assert dispatch.next([5, 0]) is None  # three is under way on the second


def test_what_waits_and_what_is_under_way_is_counted_in_segments() -> None:
    dispatch = Dispatch[Text](1, 10)
    dispatch.add(text("anna", 3))
    dispatch.add(text("bela", 2))
    assert (dispatch.waiting, dispatch.under_way) == (5, 0)
    first = dispatch.next([10])
    assert first is not None
    assert (dispatch.waiting, dispatch.under_way, dispatch.load(0)) == (2, 3, 3)
    dispatch.settle(first)
    assert (dispatch.waiting, dispatch.under_way) == (2, 0)


def test_what_is_withdrawn_comes_in_the_order_of_its_arrival_and_is_given_to_nobody() -> None:
    dispatch = Dispatch[Text](1, 10)
    texts = [text(recipient) for recipient in ("anna", "bela", "anna", "cili", "bela")]
    for one in texts:
        dispatch.add(one)
    given = dispatch.next([1])
    assert given is texts[0]
    assert dispatch.withdraw() == texts[1:]
    assert dispatch.waiting == 0
    dispatch.settle(given)
    assert dispatch.next([10]) is None


def test_without_binds_nothing_is_given() -> None:
    dispatch = Dispatch[Text](0, 10)
    dispatch.add(text("anna"))
    assert dispatch.next([]) is None
