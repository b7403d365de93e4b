"""Notes of others open here, ours are the same bytes, and nothing malformed opens."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.ledger.note import VerifierKey, from_base64, open_note, sign_note
from tests.unit.ledger.log import KEY, ORIGIN, VERIFIER

ONE_SENTENCE = r"^[^\n]+\Z"

TEXT = "one\n\ntwo\n"
NOTE = sign_note(TEXT, ORIGIN, KEY)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)

# The example of Go's golang.org/x/mod/sumdb/note.
GO_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = (
    f"{GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFY"
    "C2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_of_go_opens_here_and_ours_has_its_bytes() -> None:
    key = VerifierKey.parse(GO_KEY)
    assert open_note(GO_NOTE, key) == GO_TEXT
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(GO_SEED)[1:])
    assert VerifierKey.of("PeterNeumann", private) == key
    assert str(key) == GO_KEY
    assert sign_note(GO_TEXT, "PeterNeumann", private) == GO_NOTE


def test_a_note_of_elixir_opens_here() -> None:
    key = VerifierKey.parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    text = "This is an example message.\n"
    signature = (
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1E"
        "RYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
    )
    assert open_note(f"{text}\n— example.com/foo {signature}\n", key) == text


def test_a_text_may_hold_empty_lines() -> None:
    assert open_note(NOTE, VERIFIER) == TEXT


def test_signatures_of_strangers_are_passed_over() -> None:
    stranger = sign_note(TEXT, "witness.example", OTHER).rpartition("\n\n")[2]
    namesake = sign_note(TEXT, ORIGIN, OTHER).rpartition("\n\n")[2]
    ours = NOTE.rpartition("\n\n")[2]
    assert open_note(f"{TEXT}\n{stranger}{namesake}{ours}{stranger}", VERIFIER) == TEXT


def test_a_note_that_only_others_signed_does_not_open() -> None:
    for name, key in ((ORIGIN, OTHER), ("other.example", KEY)):
        with pytest.raises(ValueError, match="did not sign"):
            open_note(sign_note(TEXT, name, key), VERIFIER)


def test_one_false_signature_of_ours_spoils_the_note() -> None:
    false = sign_note("something else\n", ORIGIN, KEY).rpartition("\n\n")[2]
    for note in (NOTE + false, f"{TEXT}\n{false}"):
        with pytest.raises(ValueError, match="is not of this note"):
            open_note(note, VERIFIER)


def test_a_changed_text_does_not_open() -> None:
    with pytest.raises(ValueError, match="is not of this note"):
        open_note(NOTE.replace("two", "six"), VERIFIER)


def _signed(line: str) -> str:
    return f"{TEXT}\n{line}"


OURS = NOTE.rpartition("\n\n")[2]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        TEXT,
        NOTE[:-1],
        NOTE + "\n",
        NOTE + "\n\n",
        f"{TEXT}\n",
        f"{TEXT}{OURS}",
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("one", "o\te"),
        NOTE.replace("one", "\ud800"),
        _signed(OURS.replace("—", "-")),
        _signed(OURS.replace("— ", "—")),
        _signed(OURS.replace("— ", "—  ")),
        _signed(OURS.replace(f" {ORIGIN}", f" {ORIGIN} ")),
        _signed(OURS.replace("=\n", "\n")),
        _signed(OURS.replace("=\n", "==\n")),
        _signed(OURS[:-1] + " \n"),
        _signed(OURS[:-1] + " more\n"),
        _signed(f"— {ORIGIN}\n"),
        _signed(f"— {ORIGIN} \n"),
        _signed("— x AAAA\n") + OURS,
        _signed(OURS * 101),
        sign_note("x" * 1_000_000 + "\n", ORIGIN, KEY),
        sign_note("\n", ORIGIN, KEY).removeprefix("\n\n"),
        _signed(OURS + OURS[:-1]),
        _signed("junk\n" + OURS),
        _signed("x AAAAAAA=\n" + OURS),
        _signed("- x AAAAAAA=\n" + OURS),
        _signed("—  AAAAAAA=\n" + OURS),
        _signed("— x AAAAAA==\n" + OURS),
    ],
)
def test_a_malformed_note_is_refused_in_one_sentence(note: str) -> None:
    with pytest.raises(ValueError, match=ONE_SENTENCE) as refused:
        open_note(note, VERIFIER)
    assert type(refused.value) is ValueError


def test_a_strangers_signature_may_be_of_any_length() -> None:
    assert open_note(_signed("— x AAAAAAA=\n" + OURS), VERIFIER) == TEXT


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_public_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="has 32 bytes"):
        VerifierKey(ORIGIN, bytes(length))


def test_a_hundred_signatures_are_read() -> None:
    assert open_note(_signed(OURS * 100), VERIFIER) == TEXT


@pytest.mark.parametrize("text", ["", "no end", "a\tb\n", "\ud800\n"])
def test_what_is_no_text_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match="a note is Unicode lines"):
        sign_note(text, ORIGIN, KEY)


def test_a_verifier_key_survives_its_text() -> None:
    assert VerifierKey.parse(str(VERIFIER)) == VERIFIER


@pytest.mark.parametrize(
    "text",
    [
        "",
        ORIGIN,
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("PeterNeumann", "PeterNewmann"),
        GO_KEY.replace("PeterNeumann", "Peter Neumann"),
        GO_KEY.replace("PeterNeumann", "Peter\u2003Neumann"),
        GO_KEY.replace("PeterNeumann", ""),
        GO_KEY.replace("PeterNeumann", "\ud800"),
        GO_KEY.replace("+AR", "+AB"),
        GO_KEY.replace("+AR", "+AR="),
        GO_KEY[:-4],
        GO_KEY + "AAAA",
        GO_KEY + "\n",
        "PeterNeumann+c74f20a3+AhpcVCcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=ONE_SENTENCE) as refused:
        VerifierKey.parse(text)
    assert type(refused.value) is ValueError


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_nobody_signs_under_a_name_that_cannot_be_read_back(name: str) -> None:
    with pytest.raises(ValueError, match="not a name for a key"):
        sign_note(TEXT, name, KEY)


def test_only_one_spelling_of_base64_is_read() -> None:
    assert from_base64("QQ==") == b"A"
    for other in ("QR==", "QQ=", "QQ", "QQ==\n", " QQ==", "Q-==", "é"):
        with pytest.raises(ValueError, match="base64"):
            from_base64(other)
