from __future__ import annotations

import itertools
import os
import threading

import pytest

from ari_app.privacy.errors import SealBroken
from ari_app.privacy.vault import Vault
from tests.support.clock import DAY, NOON, FakeClock
from tests.unit.privacy.keys import ANNA, BEN, SCHEDULE, MemoryKeys

HERE = "conv_1|1|text"
THERE = "conv_1|2|text"


class Story:
    def __init__(self, most: int = 100) -> None:
        self.keys = MemoryKeys()
        self.clock = FakeClock()
        self.vault = Vault(self.keys, SCHEDULE, self.clock, os.urandom, most=most)

    def seal(self, plain: str = "my back hurts", owner: str = ANNA, place: str = HERE) -> str:
        return self.vault.seal(owner, "words", place, plain)


@pytest.fixture
def story() -> Story:
    return Story()


def test_what_was_sealed_opens_at_its_place(story: Story) -> None:
    assert story.vault.open(HERE, story.seal()) == "my back hurts"


def test_a_sealed_text_is_compact_ascii_that_names_its_key(story: Story) -> None:
    version, key, body = story.seal("x" * 300).split(".")
    assert version == "1"
    assert key in story.keys.keys
    assert len(body) == -(-(12 + 300 + 16) * 4 // 3)
    assert body.isascii()
    assert not set(body) & set("+/=")


def test_half_a_surrogate_pair_comes_back(story: Story) -> None:
    assert story.vault.open(HERE, story.seal("\ud83d!")) == "\ud83d!"


def test_it_opens_at_no_other_place(story: Story) -> None:
    with pytest.raises(SealBroken, match="conv_1|2|text"):
        story.vault.open(THERE, story.seal())


def test_two_sealed_texts_cannot_be_swapped(story: Story) -> None:
    one, other = story.seal(place=HERE), story.seal(place=THERE)
    for place, sealed in ((HERE, other), (THERE, one)):
        with pytest.raises(SealBroken):
            story.vault.open(place, sealed)


def test_a_text_of_one_owner_does_not_open_by_the_key_of_another(story: Story) -> None:
    annas, bens = story.seal(owner=ANNA), story.seal(owner=BEN)
    body = annas.rpartition(".")[2]
    with pytest.raises(SealBroken):
        story.vault.open(HERE, f"1.{bens.split('.')[1]}.{body}")


@pytest.mark.parametrize(
    "damage",
    [
        lambda s: s[:-1],
        lambda s: s + "A",
        lambda s: s + "=",
        lambda s: s.replace("1.", "2.", 1),
        lambda s: s.replace("key_", "KEY_"),
        lambda s: s.rpartition(".")[0],
        lambda s: s.rpartition(".")[0] + ".",
        lambda s: s.rpartition(".")[0] + ".é",
        lambda s: "",
        lambda s: "plain",
    ],
)
def test_what_is_no_seal_of_ours_is_refused(story: Story, damage: object) -> None:
    assert callable(damage)
    with pytest.raises(SealBroken):
        story.vault.open(HERE, damage(story.seal()))


def test_after_shredding_it_is_none_for_ever(story: Story) -> None:
    sealed, bens = story.seal(), story.seal(owner=BEN)
    assert story.vault.open(HERE, sealed) == "my back hurts"
    story.keys.shred(ANNA)
    assert story.vault.open(HERE, sealed) is None
    assert story.vault.open(HERE, bens) == "my back hurts"

    again = story.seal("hello again")
    assert story.vault.open(HERE, again) == "hello again"
    assert story.vault.open(HERE, sealed) is None


def test_only_the_shredded_class_is_gone(story: Story) -> None:
    words = story.seal()
    number = story.vault.seal(ANNA, "identity", HERE, "+12025550123")
    story.keys.shred(ANNA, "words")
    assert story.vault.open(HERE, words) is None
    assert story.vault.open(HERE, number) == "+12025550123"


def test_while_keys_are_shredded_nothing_is_remembered(story: Story) -> None:
    sealed = story.seal()
    story.keys.moved = None
    before = story.keys.reads
    assert story.vault.open(HERE, sealed) == "my back hurts"
    assert story.vault.open(HERE, sealed) == "my back hurts"
    assert story.vault.open(HERE, story.seal()) == "my back hurts"
    assert story.keys.reads == before + 4


def test_a_key_that_is_shredded_while_it_is_fetched_is_not_remembered(story: Story) -> None:
    sealed = story.seal()
    other = Vault(story.keys, SCHEDULE, story.clock, os.urandom)
    fetch = story.keys.by_id

    def shredded_behind_us(id: str) -> object:
        key = fetch(id)
        story.keys.shred(ANNA)
        return key

    story.keys.by_id = shredded_behind_us  # type: ignore[assignment,method-assign]  # a race
    other.open(HERE, sealed)
    story.keys.by_id = fetch  # type: ignore[method-assign]  # the race is over
    assert other.open(HERE, sealed) is None


def test_a_key_in_use_costs_no_look_at_the_disk(story: Story) -> None:
    sealed = story.seal()
    before = story.keys.reads, story.keys.writes
    for _ in range(5):
        story.seal()
        story.vault.open(HERE, sealed)
    assert (story.keys.reads, story.keys.writes) == before


def test_prepare_makes_all_keys_by_one_write(story: Story) -> None:
    wanted = [(owner, c) for owner in (ANNA, BEN, ANNA) for c in ("words", "identity")]
    story.vault.prepare(wanted)
    story.vault.prepare(wanted)
    story.seal(owner=ANNA)
    story.seal(owner=BEN)
    assert (story.keys.writes, len(story.keys.keys)) == (1, 4)


def test_memory_is_bounded_and_forgets_what_was_not_used_of_late() -> None:
    story = Story(most=4)
    sealed = [story.seal(owner=f"subj_{n}") for n in range(6)]
    for n in (4, 5, 4, 5):
        story.vault.open(HERE, sealed[n])
    before = story.keys.reads
    for n in (4, 5, 4, 5):
        assert story.vault.open(HERE, sealed[n]) == "my back hurts"
    assert story.keys.reads == before
    assert [story.vault.open(HERE, s) for s in sealed] == ["my back hurts"] * 6
    assert story.keys.reads >= before + 2


def test_the_next_period_has_another_key_and_the_old_one_still_opens(story: Story) -> None:
    before = story.seal()
    story.clock.advance(90 * DAY)
    after = story.seal()
    assert before.split(".")[1] != after.split(".")[1]
    assert story.vault.open(HERE, before) == "my back hurts"
    assert len(story.keys.keys) == 2


def test_a_text_of_the_past_is_sealed_by_the_key_of_its_time(story: Story) -> None:
    now = story.seal()
    long_ago = story.vault.seal(ANNA, "words", HERE, "old", at=NOON - 200 * 86_400_000_000)
    assert now.split(".")[1] != long_ago.split(".")[1]
    assert story.keys.keys[long_ago.split(".")[1]].facts.ends < NOON


def test_a_class_without_a_window_is_refused(story: Story) -> None:
    with pytest.raises(ValueError, match="no retention window is set for 'gossip'"):
        story.vault.seal(ANNA, "gossip", HERE, "…")


def test_threads_share_it() -> None:
    story = Story(most=4)
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in itertools.islice(itertools.count(), 300):
            owner, text = f"subj_{(number + turn) % 9}", f"{number} {turn}"
            found = story.vault.open(HERE, story.seal(text, owner=owner))
            if found != text:
                wrong.append((found, text))

    story.vault.prepare((f"subj_{n}", "words") for n in range(9))
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
