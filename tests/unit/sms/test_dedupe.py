"""What is a repetition and what is somebody who says the same again."""

from ari_app.sms.dedupe import DedupeKeys

TWO = ("main", "+33123456789", "36200", "0/1", "2")


def test_the_key_shows_nothing_of_the_number() -> None:
    key = DedupeKeys(b"secret").begin(TWO, link=1, now=0.0, wall=0.0)
    assert key.startswith("mo_")
    assert "33123456789" not in key
    assert key != DedupeKeys(b"other").begin(TWO, link=1, now=0.0, wall=0.0)


def test_what_was_not_stored_comes_again_with_the_same_key() -> None:
    keys = DedupeKeys(b"s")
    first = keys.begin(TWO, link=1, now=0.0, wall=0.0)
    assert keys.begin(TWO, link=1, now=5.0, wall=5.0) == first


def test_the_same_said_twice_on_one_link_is_two_texts() -> None:
    keys = DedupeKeys(b"s")
    first = keys.begin(TWO, link=1, now=0.0, wall=0.0)
    keys.stored(TWO)
    second = keys.begin(TWO, link=1, now=3.0, wall=3.0)
    keys.stored(TWO)
    third = keys.begin(TWO, link=1, now=6.0, wall=6.0)
    assert len({first, second, third}) == 3


def test_what_was_stored_on_a_link_that_died_is_repeated_on_the_next() -> None:
    keys = DedupeKeys(b"s")
    first = keys.begin(TWO, link=1, now=0.0, wall=0.0)
    keys.stored(TWO)
    assert keys.begin(TWO, link=2, now=10.0, wall=10.0) == first
    keys.stored(TWO)
    assert keys.begin(TWO, link=2, now=20.0, wall=20.0) != first


def test_a_repetition_soon_after_a_restart_has_the_same_key() -> None:
    first = DedupeKeys(b"s").begin(TWO, link=7, now=500.0, wall=1000.0)
    assert DedupeKeys(b"s").begin(TWO, link=1, now=3.0, wall=1020.0) == first


def test_what_was_said_long_ago_is_said_anew() -> None:
    keys = DedupeKeys(b"s", span=120.0)
    first = keys.begin(TWO, link=1, now=0.0, wall=0.0)
    keys.stored(TWO)
    assert keys.begin(TWO, link=2, now=120.0, wall=120.0) != first


def test_words_cannot_be_moved_between_fields() -> None:
    keys = DedupeKeys(b"s")
    assert keys.begin(("ab", "c"), link=1, now=0.0, wall=0.0) != keys.begin(
        ("a", "bc"), link=1, now=0.0, wall=0.0
    )


def test_an_id_of_the_smsc_is_the_key_for_ever() -> None:
    keys = DedupeKeys(b"s")
    assert keys.of_id("main", "17") == DedupeKeys(b"s").of_id("main", "17")
    assert keys.of_id("main", "17") != keys.of_id("main", "18")


def test_what_had_begun_before_a_restart_is_known_by_its_trace() -> None:
    before = DedupeKeys(b"s", span=120.0)
    before.begin(TWO, link=1, now=0.0, wall=119.0)
    before.stored(TWO)
    key = before.begin(TWO, link=1, now=1.0, wall=120.0)  # said a second time
    trace = before.trace(TWO)
    assert "33123456789" not in str(trace)

    after = DedupeKeys(b"s", span=120.0)
    after.restore(key, trace, at=-20.0)
    assert after.begin(TWO, link=1, now=0.0, wall=141.0) == key
    after.stored(TWO)
    third = after.begin(TWO, link=1, now=1.0, wall=142.0)
    assert third not in (key, before.begin(("x",), link=1, now=0.0, wall=0.0))


def test_a_trace_is_of_no_use_once_its_span_is_over() -> None:
    before = DedupeKeys(b"s", span=120.0)
    key = before.begin(TWO, link=1, now=0.0, wall=0.0)
    after = DedupeKeys(b"s", span=120.0)
    after.restore(key, before.trace(TWO), at=0.0)
    assert after.begin(TWO, link=1, now=120.0, wall=120.0) != key
