"""What an auditor could write from our documentation alone: nothing of ours is imported."""

import base64
import json
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(proof_json: str, verifier_key: str) -> None:
    """Return if the event is proven to be in the log; raise anything if not."""
    proof, (name, _, key) = json.loads(proof_json), verifier_key.split("+", 2)
    public = base64.b64decode(key)
    text, _, signatures = proof["checkpoint"].rpartition("\n\n")
    (line,) = [s for s in signatures.splitlines() if s.startswith(f"— {name} ")]
    signature = base64.b64decode(line.split(" ")[2], validate=True)
    assert signature[:4] == sha256(name.encode() + b"\n" + public).digest()[:4]
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], f"{text}\n".encode())
    origin, size, root = text.split("\n")[:3]
    e, index, width = proof["event"], proof["index"], int(size)
    assert (proof["format"], origin) == ("segue.proof.v1", name)
    assert 0 <= index < width
    cause = "" if e["cause"] is None else "=" + e["cause"]
    fields = [e["id"], e["stream"], e["sequence"], e["at"], e["actor"], cause]
    lines = ["segue.event.v1", *map(str, fields), e["name"], str(e["version"]), ""]
    assert not any("\n" in line for line in lines)
    erased = e.get("payload_sha256")
    payload = bytes.fromhex(erased) if erased else sha256(e["payload"].encode()).digest()
    found = sha256(b"\0" + "\n".join(lines).encode() + payload).digest()
    for sibling in (base64.b64decode(step, validate=True) for step in proof["path"]):
        while index % 2 == 0 and index == width - 1:  # alone on its level: goes up as it is
            index, width = index // 2, (width + 1) // 2
        pair = sibling + found if index % 2 else found + sibling
        found, index, width = sha256(b"\1" + pair).digest(), index // 2, (width + 1) // 2
    assert (width, found) == (1, base64.b64decode(root))
