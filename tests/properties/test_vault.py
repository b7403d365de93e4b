"""What holds for every text: it opens where it was sealed, and nowhere else."""

from __future__ import annotations

import os

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ari_app.privacy.errors import SealBroken
from ari_app.privacy.vault import Vault
from tests.support.clock import FakeClock
from tests.unit.privacy.keys import ANNA, BEN, SCHEDULE, MemoryKeys

VAULT = Vault(MemoryKeys(), SCHEDULE, FakeClock(), os.urandom)
ASCII = "".join(map(chr, range(32, 127)))

texts = st.text(st.characters(), max_size=300)
places = st.builds(
    "{}|{}|{}".format, st.sampled_from(["conv_1", "conv_2"]), st.integers(1), st.text(max_size=8)
)
owners = st.sampled_from([ANNA, BEN])
classes = st.sampled_from(sorted(SCHEDULE.windows))


@given(owners, classes, places, texts)
def test_what_was_sealed_opens(owner: str, data_class: str, place: str, plain: str) -> None:
    sealed = VAULT.seal(owner, data_class, place, plain)
    assert sealed.isascii()
    assert VAULT.open(place, sealed) == plain


@given(places, texts)
def test_the_same_text_is_never_sealed_twice_the_same(place: str, plain: str) -> None:
    assert VAULT.seal(ANNA, "words", place, plain) != VAULT.seal(ANNA, "words", place, plain)


@given(places, places, texts)
def test_it_opens_at_no_other_place(here: str, there: str, plain: str) -> None:
    assume(here != there)
    with pytest.raises(SealBroken):
        VAULT.open(there, VAULT.seal(ANNA, "words", here, plain))


@given(texts, st.data())
def test_no_letter_of_it_can_be_exchanged(plain: str, choose: st.DataObject) -> None:
    sealed = VAULT.seal(ANNA, "words", "conv_1|1|text", plain)
    # A key id that never was looks like a shredded one, so the id is left alone.
    at = choose.draw(st.sampled_from([0, 1, 38, *range(39, len(sealed))]))
    letter = choose.draw(st.sampled_from(ASCII + "é"))
    assume(letter != sealed[at])
    with pytest.raises(SealBroken):
        VAULT.open("conv_1|1|text", sealed[:at] + letter + sealed[at + 1 :])


@given(texts, st.text(max_size=60) | st.text("1.key_0123456789abcdef-=", max_size=60))
def test_whatever_is_written_there_opens_or_is_refused(plain: str, written: str) -> None:
    start = VAULT.seal(ANNA, "words", "p", plain)[:39]
    for sealed in (written, start + written, "1." + written):
        try:
            assert VAULT.open("p", sealed) is None
        except SealBroken:
            continue


@given(texts)
def test_a_shredded_text_stays_closed(plain: str) -> None:
    keys = MemoryKeys()
    vault = Vault(keys, SCHEDULE, FakeClock(), os.urandom)
    sealed = vault.seal(ANNA, "words", "p", plain)
    keys.shred(ANNA)
    for _ in range(2):
        assert vault.open("p", sealed) is None
        assert vault.open("p", vault.seal(ANNA, "words", "p", plain)) == plain
