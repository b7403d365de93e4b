"""A checkpoint says three lines, and only the log's own key may say them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.ledger.checkpoint import Checkpoint, sign, verify
from ari_app.ledger.note import VerifierKey, sign_note
from tests.unit.ledger.log import KEY, ORIGIN, VERIFIER

ONE_SENTENCE = r"^[^\n]+\Z"

ROOT = bytes(range(32))
TEXT = f"{ORIGIN}\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


def test_a_checkpoint_is_three_lines() -> None:
    assert str(Checkpoint(ORIGIN, 7, ROOT)) == TEXT
    assert Checkpoint.parse(TEXT) == Checkpoint(ORIGIN, 7, ROOT)


def test_the_example_of_the_specification_is_read_and_written_back() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = Checkpoint.parse(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert str(checkpoint) == text


def test_a_signed_checkpoint_is_verified_by_the_key_alone() -> None:
    note = sign(Checkpoint(ORIGIN, 7, ROOT), KEY)
    assert note.startswith(f"{TEXT}\n— {ORIGIN} ")
    assert verify(note, VerifierKey.parse(str(VERIFIER))) == Checkpoint(ORIGIN, 7, ROOT)


def test_extension_lines_are_kept_and_signed() -> None:
    checkpoint = Checkpoint(ORIGIN, 7, ROOT, ("sealed by desk 3", "for the auditor"))
    note = sign(checkpoint, KEY)
    assert verify(note, VERIFIER) == checkpoint
    with pytest.raises(ValueError, match="is not of this note"):
        verify(note.replace("desk 3", "desk 4"), VERIFIER)


def test_the_empty_log_has_size_zero() -> None:
    assert Checkpoint.parse(TEXT.replace("\n7\n", "\n0\n")).size == 0


def test_another_key_of_the_same_name_does_not_verify() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    with pytest.raises(ValueError, match="did not sign"):
        verify(sign(Checkpoint(ORIGIN, 7, ROOT), other), VERIFIER)


def test_a_key_does_not_vouch_for_another_log() -> None:
    text = str(Checkpoint("other.example/log", 7, ROOT))
    with pytest.raises(ValueError, match="is of 'other.example/log'"):
        verify(sign_note(text, ORIGIN, KEY), VERIFIER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        TEXT[:-1],
        TEXT + "\n",
        TEXT + "extension\n\n",
        TEXT + "no end",
        TEXT + "a\tb\n",
        TEXT.replace(ORIGIN, ""),
        TEXT.replace("\n7\n", "\n"),
        TEXT.replace("\n7\n", "\n\n"),
        TEXT.replace("\n7\n", "\n07\n"),
        TEXT.replace("\n7\n", "\n+7\n"),
        TEXT.replace("\n7\n", "\n-7\n"),
        TEXT.replace("\n7\n", "\n 7\n"),
        TEXT.replace("\n7\n", "\n7.0\n"),
        TEXT.replace("\n7\n", "\n0x7\n"),
        TEXT.replace("\n7\n", "\n٧\n"),
        TEXT.replace("\n7\n", "\n1_0\n"),
        TEXT.replace("\n7\n", "\n" + "9" * 20 + "\n"),
        TEXT.replace("\n7\n", "\n" + "9" * 5000 + "\n"),
        TEXT.replace("Hh8=", "Hh9="),
        TEXT.replace("Hh8=", "Hh8"),
        TEXT.replace("Hh8=", ""),
        TEXT.replace("Hh8=", "Hh8gIA=="),
    ],
)
def test_a_malformed_checkpoint_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=ONE_SENTENCE) as refused:
        Checkpoint.parse(text)
    assert type(refused.value) is ValueError


def test_a_checkpoint_of_too_few_lines_is_told_so() -> None:
    with pytest.raises(ValueError, match="three lines"):
        Checkpoint.parse(f"{ORIGIN}\n7\n")


@pytest.mark.parametrize("line", ["", "one\ntwo", "a\tb", "\ud800"])
def test_what_is_not_one_line_is_not_written(line: str) -> None:
    for origin, extensions in ((line, ()), (ORIGIN, (line,))):
        with pytest.raises(ValueError, match="not one line"):
            Checkpoint(origin, 7, ROOT, extensions)


@pytest.mark.parametrize("size", [-1, 10**19])
def test_no_tree_has_such_a_size(size: int) -> None:
    with pytest.raises(ValueError, match="no tree has"):
        Checkpoint(ORIGIN, size, ROOT)
