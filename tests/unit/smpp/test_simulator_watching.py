"""A watcher that does not read."""

from smpp.simulator import BindAnswered, ReceiptAnswered, Watch
from smpp.simulator.watching import KEPT

BOUND = BindAnswered(1, "segue", "bind_transceiver", 0)


def test_the_oldest_are_lost_and_counted() -> None:
    watch = Watch()
    for number in range(KEPT + 3):
        watch.put(ReceiptAnswered(str(number), 0))
    assert (watch.qsize(), watch.missed) == (KEPT, 3)
    assert watch.get_nowait() == ReceiptAnswered("3", 0)


def test_binds_are_told_to_those_who_want_everything() -> None:
    some, all = Watch(), Watch(everything=True)
    for watch in (some, all):
        watch.put(BOUND)
    assert some.empty()
    assert all.get_nowait() == BOUND
