"""Who is believed, packet by packet."""

from __future__ import annotations

import pytest

from ari_app.media.source import Source, Verdict, networks

ASTERISK = ("192.0.2.1", 4000)
MOVED = ("192.0.2.1", 4100)
STRANGER = ("198.51.100.9", 4000)
PTIME = 0.02


def locked(*names: str) -> Source:
    """Asterisk is believed, and has spoken at 0 s."""
    source = Source(networks(names))
    source.lock(ASTERISK, 0.0)
    assert source.judge(ASTERISK, 7, 1, 0.0, PTIME) is Verdict.TAKE
    return source


def proves(source: Source, address: tuple[str, int], at: float, packets: int = 5) -> Verdict:
    verdict = Verdict.TAKE
    for n in range(packets):
        assert source.could_be(address, at)
        verdict = source.judge(address, 9, 100 + n, at + n * 0.02, PTIME)
    return verdict


def test_nobody_is_believed_before_the_lock() -> None:
    assert not Source().could_be(ASTERISK, 99.0)


def test_the_address_that_asterisk_named_is_believed_at_once() -> None:
    assert locked().ssrc == 7


def test_another_address_is_not_even_read_while_the_believed_one_speaks() -> None:
    source = locked("0.0.0.0/0")
    assert not source.could_be(MOVED, 1.9)
    assert not source.could_be(STRANGER, 1.9)


def test_another_port_is_believed_after_silence_and_five_packets_in_a_row() -> None:
    source = locked()
    assert proves(source, MOVED, 2.0, 4) is Verdict.REFUSE_SOURCE
    assert source.address == ASTERISK
    source = locked()
    assert proves(source, MOVED, 2.0) is Verdict.CHANGE
    assert (source.address, source.ssrc, source.relearned) == (MOVED, 9, 1)


def test_another_host_is_believed_only_in_the_networks_that_may_speak() -> None:
    assert not locked().could_be(STRANGER, 5.0)
    assert not locked("203.0.113.0/24").could_be(STRANGER, 5.0)
    assert proves(locked("198.51.100.0/24"), STRANGER, 5.0) is Verdict.CHANGE
    assert locked("198.51.100.0/24").could_be(("::ffff:198.51.100.9", 1), 5.0)


def test_one_that_never_spoke_gives_up_its_place_sooner() -> None:
    source = Source()
    source.lock(ASTERISK, 0.0)
    assert not source.could_be(MOVED, 0.4)
    assert proves(source, MOVED, 0.6) is Verdict.CHANGE


def test_packets_that_do_not_follow_each_other_prove_nothing() -> None:
    source = locked()
    for n in range(20):
        assert source.judge(MOVED, 9, n * 2, 2.0, PTIME) is Verdict.REFUSE_SOURCE


def test_packets_of_several_sources_prove_nothing() -> None:
    source = locked()
    for n in range(20):
        assert source.judge(MOVED, n, n, 2.0, PTIME) is Verdict.REFUSE_SOURCE


def test_a_proof_that_takes_too_long_is_none() -> None:
    source = locked()
    for n in range(4):
        source.judge(MOVED, 9, n, 2.0 + n * 0.02, PTIME)
    assert source.judge(MOVED, 9, 4, 2.6, PTIME) is Verdict.REFUSE_SOURCE


def test_a_word_of_the_believed_one_ends_every_proof() -> None:
    source = locked()
    proves(source, MOVED, 2.0, 4)
    assert source.judge(ASTERISK, 7, 2, 2.1, PTIME) is Verdict.TAKE
    assert not source.could_be(MOVED, 2.2)
    assert source.judge(MOVED, 9, 104, 4.2, PTIME) is Verdict.REFUSE_SOURCE


def test_the_old_one_is_a_stranger_once_another_is_believed() -> None:
    source = locked()
    proves(source, MOVED, 2.0)
    assert not source.could_be(ASTERISK, 2.2)


def test_another_source_at_the_same_address_is_kept_until_the_old_one_has_gone() -> None:
    source = locked()
    verdicts = [source.judge(ASTERISK, 8, n, n * 0.02, PTIME) for n in range(1, 4)]
    assert verdicts == [Verdict.KEEP, Verdict.KEEP, Verdict.CHANGE]
    assert (source.ssrc, source.changes) == (8, 1)


def test_the_old_one_is_waited_for_as_long_as_three_of_its_packets_are() -> None:
    source = locked()
    assert source.judge(ASTERISK, 8, 1, 0.1, 0.06) is Verdict.KEEP
    assert source.judge(ASTERISK, 8, 2, 0.19, 0.06) is Verdict.CHANGE


def test_a_third_source_is_refused_and_no_more_than_a_few_packets_are_kept() -> None:
    source = locked()
    verdicts = [source.judge(ASTERISK, 8, n, 0.01, PTIME) for n in range(20)]
    assert verdicts == [Verdict.KEEP] * 8 + [Verdict.REFUSE_SSRC] * 12
    assert source.judge(ASTERISK, 9, 1, 0.01, PTIME) is Verdict.REFUSE_SSRC


def test_networks_are_read_or_refused_in_a_sentence() -> None:
    assert len(networks(["192.0.2.7", "2001:db8::/32"])) == 2
    with pytest.raises(ValueError, match="has host bits set"):
        networks(["192.0.2.7/24"])
