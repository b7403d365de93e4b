"""What grew is said in a sentence that names it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ari_app.cli.soak_samples import MORE_DESCRIPTORS, MORE_TASKS, Sample, grown

MB = 1 << 20


def sample(minute: float, **changes: object) -> Sample:
    usual = Sample(
        at=60 * minute,
        memory={"the service (7)": 200 * MB, "ASR workers (8)": 60 * MB},
        descriptors={"the service (7)": 40, "ASR workers (8)": 9},
        tasks=20,
        left=(),
        calls=10,
        received=10_000,
        missing=0,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # the fields of a sample


FLAT = [sample(minute) for minute in range(1, 11)]


def test_a_flat_soak_has_nothing_to_say() -> None:
    assert grown(FLAT, 120.0) == []


def test_what_is_learned_while_warming_up_is_no_growth() -> None:
    early = sample(1, memory={"the service (7)": 100 * MB, "ASR workers (8)": 20 * MB}, tasks=1)
    assert grown([early, *FLAT[1:]], 120.0) == []


@pytest.mark.parametrize(("more", "sentences"), [(10 * MB, 0), (11 * MB, 1)])
def test_memory_may_grow_by_ten_megabytes(more: int, sentences: int) -> None:
    last = sample(11, memory={"the service (7)": 200 * MB + more, "ASR workers (8)": 60 * MB})
    found = grown([*FLAT, last], 120.0)
    assert len(found) == sentences
    if found:
        assert found == ["the memory of the service (7) grew from 200 to 211 MB"]


def test_open_files_are_named() -> None:
    more = 40 + MORE_DESCRIPTORS + 1
    last = sample(11, descriptors={"the service (7)": more, "ASR workers (8)": 9})
    assert grown([*FLAT, last], 120.0) == [
        f"the open files of the service (7) grew from 40 to {more}"
    ]


def test_tasks_are_counted_where_the_service_tells_them() -> None:
    more = 20 + MORE_TASKS + 1
    assert grown([*FLAT, sample(11, tasks=more)], 120.0) == [
        f"the tasks of the service grew from 20 to {more}"
    ]
    silent = [sample(minute, tasks=None) for minute in range(1, 11)]
    assert grown(silent, 120.0) == []


def test_a_process_that_was_replaced_is_named() -> None:
    last = sample(11, memory={"the service (7)": 200 * MB, "ASR workers (9)": 60 * MB})
    assert grown([*FLAT, last], 120.0) == ["ASR workers (8) ended, or was replaced"]


def test_a_channel_that_is_left_is_named_once() -> None:
    left = [sample(m, left=("channel PJSIP/carrier-1",)) for m in (11, 12)]
    assert grown([*FLAT, *left], 120.0) == [
        "1 channels or bridges of ended calls were left in Asterisk after 660 s, "
        "such as channel PJSIP/carrier-1"
    ]


def test_packets_that_are_lost_are_lost_also_while_warming_up() -> None:
    assert grown([sample(0.5, missing=50), *FLAT], 120.0) == []
    assert grown([sample(0.5, missing=500), *FLAT], 120.0) == [
        "500 of 110500 packets did not reach the callers"
    ]


def test_a_call_that_nobody_answered_is_told() -> None:
    assert grown([*FLAT, sample(11, faults=("nobody answered within 10 s",))], 120.0) == [
        "1 calls were not answered: nobody answered within 10 s"
    ]


def test_a_soak_that_is_too_short_is_no_good_soak() -> None:
    assert "soak for longer" in grown(FLAT[:1], 0.0)[0]
    assert "soak for longer" in grown(FLAT, 600.0)[0]
