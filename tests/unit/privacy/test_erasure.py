from __future__ import annotations

import copy

import pytest

from ari_app.privacy.erasure import Erasure
from ari_app.privacy.errors import Held
from ari_app.privacy.ports import Act, Entry, Mode, Reason, Slot
from ari_app.privacy.retention import Tally
from tests.support.clock import DAY, FakeClock
from tests.unit.privacy.keys import ANNA, BEN, SCHEDULE, MemoryKeys, MemoryLedger


class Story:
    def __init__(self) -> None:
        self.keys = MemoryKeys()
        self.ledger = MemoryLedger()
        self.clock = FakeClock()
        self.erasure = Erasure(self.keys, self.ledger, SCHEDULE, self.clock)

    def given_keys(self, *owners: str) -> None:
        now = self.clock.now()
        self.keys.create_many([Slot(o, "words", SCHEDULE.period("words", now)) for o in owners])

    @property
    def owners(self) -> list[str]:
        return [key.owner for key in self.keys.facts()]


@pytest.fixture
def story() -> Story:
    return Story()


def test_erasing_takes_the_keys_of_one_owner_and_is_written_down(story: Story) -> None:
    story.given_keys(ANNA, BEN)
    story.clock.advance(1)
    ids = story.erasure.erase(ANNA, Mode.SHRED, Reason.REQUEST)
    assert len(ids) == 1
    assert story.owners == [BEN]
    assert story.ledger.lines == [
        Entry(story.clock.now(), Act.ERASED, ANNA, Reason.REQUEST, Mode.SHRED)
    ]
    assert story.erasure.erased() == story.ledger.lines


def test_a_restored_backup_is_erased_again(story: Story) -> None:
    story.given_keys(ANNA, BEN)
    backup = copy.copy(story.keys.keys)
    story.clock.advance(1)
    erased = story.erasure.erase(ANNA, Mode.TOMBSTONE, Reason.REQUEST)
    story.keys.keys = backup
    assert story.erasure.reapply() == erased
    assert story.owners == [BEN]
    assert story.erasure.reapply() == []


def test_what_an_owner_left_after_the_erasure_stays(story: Story) -> None:
    story.given_keys(ANNA)
    story.clock.advance(1)
    story.erasure.erase(ANNA, Mode.SHRED, Reason.REQUEST)
    story.clock.advance(1)
    story.keys.create_many([Slot(ANNA, "words", SCHEDULE.period("words", story.clock.now()))])
    (id,) = story.keys.keys
    later = story.keys.keys[id]
    object.__setattr__(later.facts, "created", story.clock.now())
    assert story.erasure.reapply() == []
    assert story.owners == [ANNA]


def test_a_clock_that_went_back_hides_no_key_from_a_later_restore(story: Story) -> None:
    story.given_keys(ANNA)
    backup = copy.copy(story.keys.keys)
    story.clock.advance(-3600)
    story.erasure.erase(ANNA, Mode.SHRED, Reason.REQUEST)
    story.keys.keys = backup
    story.erasure.reapply()
    assert story.owners == []


def test_a_held_owner_cannot_be_erased(story: Story) -> None:
    story.given_keys(ANNA)
    story.erasure.hold(ANNA, Reason.LITIGATION)
    with pytest.raises(Held, match="release the hold first"):
        story.erasure.erase(ANNA, Mode.SHRED, Reason.REQUEST)
    assert story.owners == [ANNA]
    assert story.erasure.erased() == []

    story.erasure.release(ANNA, Reason.SETTLED)
    story.erasure.erase(ANNA, Mode.SHRED, Reason.REQUEST)
    assert story.owners == []


def test_a_hold_does_not_bring_back_who_was_erased_before_it(story: Story) -> None:
    story.given_keys(ANNA)
    backup = copy.copy(story.keys.keys)
    story.clock.advance(1)
    story.erasure.erase(ANNA, Mode.SHRED, Reason.REQUEST)
    story.erasure.hold(ANNA, Reason.LITIGATION)
    story.keys.keys = backup
    story.erasure.reapply()
    assert story.owners == []


def test_expiry_takes_what_is_due_and_leaves_the_held(story: Story) -> None:
    story.given_keys(ANNA, BEN)
    story.erasure.hold(BEN, Reason.AUTHORITY)
    assert story.erasure.expire() == {"words": Tally(kept=2)}

    story.clock.advance(181 * DAY)
    promised = story.erasure.dry_run()
    assert promised == {"words": Tally(due=1, held=1)}
    assert story.owners == [ANNA, BEN]
    assert story.erasure.expire() == promised
    assert story.owners == [BEN]

    story.erasure.release(BEN, Reason.SETTLED)
    assert story.erasure.expire() == {"words": Tally(due=1)}
    assert story.owners == []


def test_no_number_gets_into_the_ledger(story: Story) -> None:
    with pytest.raises(ValueError, match="never a number"):
        story.erasure.erase("+12025550123", Mode.SHRED, Reason.REQUEST)
    assert story.ledger.lines == []
