"""When a call may be recorded: what the bundle says, and what the conversation says to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from ari_app.conversation.state import Conversation
from ari_app.errors import BundleError


class When(Enum):
    """What it takes to record a call."""

    NEVER = "never"
    CONSENT = "consent"  # the caller has agreed to it
    ALWAYS = "always"  # the disclosure says so


@dataclass(frozen=True, slots=True)
class RecordingPolicy:
    """The section `recording` of a bundle."""

    when: When = When.NEVER
    purpose: str = "recording"  # of the consent that is asked for, or taken back
    told: str = ""  # words of the disclosure that tell the caller; for `always`


class Wish(Enum):
    """What is to be done about recording now."""

    NOT = "not"
    RECORD = "record"
    PAUSE = "pause"
    REFUSED = "refused"


def wish(policy: RecordingPolicy, state: Conversation, call: str, *, sensitive: bool) -> Wish:
    """The caller has heard who is speaking, agrees if that is needed, and nothing secret is said.

    `sensitive` is whether the answer to the open question is.
    """
    if policy.when is When.NEVER or state.disclosed_on != call:
        return Wish.NOT
    consent = state.consent.get(policy.purpose)
    if consent is False:
        return Wish.REFUSED
    if policy.when is When.CONSENT and consent is None:
        return Wish.NOT
    return Wish.PAUSE if sensitive else Wish.RECORD


def read_recording(document: Mapping[str, Any]) -> RecordingPolicy:
    """The section of a bundle; ValueError says what is wrong with it."""
    known = {f.name for f in fields(RecordingPolicy)}
    for key, value in document.items():
        if key not in known:
            raise ValueError(f"recording has the unknown key {key!r}; known are {sorted(known)}")
        if not isinstance(value, str) or not value:
            raise ValueError(f"recording: {key} cannot be {value!r}")
    given = dict(document)
    try:
        when = When(given.pop("when", "never"))
    except ValueError:
        every = ", ".join(w.value for w in When)
        raise ValueError(f"recording: when is one of {every}, not {document['when']!r}") from None
    return RecordingPolicy(when, **given)


def check_recording(policy: RecordingPolicy, disclosures: Iterable[str]) -> None:
    """BundleError if calls would be recorded without a word of it; `disclosures` as spoken."""
    if policy.when is not When.ALWAYS:
        return
    if not policy.told or any(policy.told not in said for said in disclosures):
        raise BundleError(
            "recording: with `when: always` every wording of the disclosure must tell the caller: "
            f"`told` names the words that it does so by, and {policy.told!r} is not among them"
        )
