"""One event is proven to a stranger who has a key and a text; whatever is touched is refused."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from ari_app.ledger.canonical import payload_hash
from ari_app.ledger.proof import verify_proof
from tests.unit.ledger import independent
from tests.unit.ledger.log import BLUE, VERIFIER, SealedLog, event

ONE_SENTENCE = r"^[^\n]+\Z"

LOG = SealedLog([event(BLUE, n) for n in range(1, 12)])
PROOF = LOG.proof(4)
VKEY = str(VERIFIER)


def test_every_event_of_every_small_log_is_proven_to_us_and_to_a_stranger() -> None:
    for size in range(1, 12):
        log = SealedLog(LOG.events[:size])
        for index in range(size):
            proof = log.proof(index)
            proven = verify_proof(proof, VKEY)
            assert (proven.event, proven.index) == (log.events[index], index)
            assert proven.checkpoint == log.checkpoint
            independent.check(proof, VKEY)


def test_the_strangers_verifier_is_short_and_knows_nothing_of_us() -> None:
    source = inspect.getsource(independent)
    assert "ari_app" not in source
    assert len(inspect.getsource(independent.check).splitlines()) <= 30


def test_an_erased_event_is_still_proven() -> None:
    erased = [one._replace(payload=payload_hash(str(one.payload))) for one in LOG.events]
    log = SealedLog(erased)
    assert log.checkpoint == LOG.checkpoint
    proof = log.proof(4)
    assert "c2VjcmV0" not in proof
    assert verify_proof(proof, VKEY).event == erased[4]
    independent.check(proof, VKEY)


def test_a_proof_may_be_laid_out_anew() -> None:
    again = json.dumps(json.loads(PROOF), indent=4, sort_keys=True)
    assert verify_proof(again, VKEY) == verify_proof(PROOF, VKEY)


def test_any_flipped_bit_is_refused() -> None:
    octets = PROOF.encode()
    for at in range(len(octets)):
        for bit in range(8):
            forged = octets[:at] + bytes([octets[at] ^ (1 << bit)]) + octets[at + 1 :]
            try:
                text = forged.decode()
            except UnicodeDecodeError:
                continue
            with pytest.raises(ValueError, match=ONE_SENTENCE):
                verify_proof(text, VKEY)


def test_the_stranger_refuses_whatever_was_tampered_with() -> None:
    for tamper in TAMPERED:
        forged = json.loads(PROOF)
        tamper(forged)
        with pytest.raises((AssertionError, ValueError, KeyError, TypeError, InvalidSignature)):
            independent.check(json.dumps(forged), VKEY)


def _at(*path: Any, value: Any) -> Callable[[Any], None]:
    def tamper(proof: Any) -> None:
        for step in path[:-1]:
            proof = proof[step]
        proof[path[-1]] = value

    return tamper


TAMPERED = [
    _at("format", value="segue.proof.v2"),
    _at("index", value=5),
    _at("index", value=-7),
    _at("index", value=10**9),
    _at("path", value=[]),
    _at("path", 0, value=json.loads(PROOF)["path"][1]),
    _at("path", 0, value="AAAA"),
    _at("checkpoint", value=json.loads(LOG.proof(4))["checkpoint"].replace("\n11\n", "\n12\n")),
    _at("checkpoint", value=""),
    *(_at("event", name, value="other") for name in ("id", "stream", "actor", "cause", "name")),
    *(_at("event", name, value=99) for name in ("sequence", "at", "version")),
    _at("event", "cause", value=None),
    _at("event", "payload", value="{}"),
    _at("event", "payload_sha256", value="00" * 32),
]

MALFORMED = [
    _at("index", value=True),
    _at("index", value="4"),
    _at("index", value=4.0),
    _at("path", value="AAAA"),
    _at("path", 0, value=None),
    _at("checkpoint", value=None),
    _at("checkpoint", value="\ud800"),
    _at("more", value=1),
    _at("event", value=None),
    _at("event", value=[]),
    _at("event", "more", value=1),
    _at("event", "sequence", value="5"),
    _at("event", "sequence", value=5.0),
    _at("event", "version", value=True),
    _at("event", "cause", value=False),
    _at("event", "actor", value="\ud800"),
    _at("event", "actor", value="a\nb"),
    _at("event", "payload", value=None),
    _at("event", "payload", value={}),
    _at("event", value={}),
    lambda proof: proof.pop("index"),
    lambda proof: proof["event"].pop("cause"),
    lambda proof: proof["event"].pop("payload"),
]


@pytest.mark.parametrize("tamper", [*TAMPERED, *MALFORMED])
def test_a_proof_that_was_tampered_with_is_refused_in_one_sentence(
    tamper: Callable[[Any], None],
) -> None:
    forged = json.loads(PROOF)
    tamper(forged)
    with pytest.raises(ValueError, match=ONE_SENTENCE) as refused:
        verify_proof(json.dumps(forged), VKEY)
    assert type(refused.value) is ValueError


@pytest.mark.parametrize(
    "digest", ["", "0" * 63, "0" * 66, "A" * 64, "0 " * 32 + "0" * 32, "zz" * 32]
)
def test_a_malformed_hash_of_an_erased_payload_is_refused(digest: str) -> None:
    forged = json.loads(PROOF)
    del forged["event"]["payload"]
    forged["event"]["payload_sha256"] = digest
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        verify_proof(json.dumps(forged), VKEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"proof"',
        "{",
        "[" * 100_000,
        PROOF.replace('"index": 4', '"index": 4, "index": 4'),
        PROOF.replace('"index": 4', '"index": ' + "4" * 5000),
        PROOF.replace('"index": 4', '"index": NaN'),
        PROOF + " " * 4_000_000,
    ],
)
def test_what_is_no_proof_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=ONE_SENTENCE) as refused:
        verify_proof(text, VKEY)
    assert type(refused.value) is ValueError


def test_a_number_that_is_too_large_is_told_so() -> None:
    with pytest.raises(ValueError, match="too large"):
        verify_proof(PROOF.replace('"index": 4', '"index": ' + "4" * 21), VKEY)


def test_the_key_of_another_log_proves_nothing() -> None:
    with pytest.raises(ValueError, match="did not sign"):
        verify_proof(PROOF, "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
