"""What a person prefers, said once and known in every later conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ari_app.conversation.events import PreferenceStated

#: What can be preferred: a language (BCP 47), a channel, or hours (`mon-fri 09:00-17:00 <zone>`).
PREFERABLE = ("language", "channel", "hours")


@dataclass(frozen=True, slots=True)
class Preference:
    """One of them; `at` in UTC microseconds, `origin` the conversation if it was not this one."""

    value: str
    at: int
    origin: str | None = None


def after(known: Mapping[str, Preference], event: PreferenceStated) -> Mapping[str, Preference]:
    """What is known after one more word on it: the latest counts, however late it is told."""
    before = known.get(event.what)
    if before is not None and before.at > event.at:
        return known
    return {**known, event.what: Preference(event.value, event.at, event.origin)}


def carried(
    others: Mapping[str, Mapping[str, Preference]], into: Mapping[str, Preference]
) -> tuple[PreferenceStated, ...]:
    """What to append to a new conversation; `others` is what is known elsewhere, by stream."""
    newest: dict[str, PreferenceStated] = {}
    for stream, known in others.items():
        for what, preference in known.items():
            found = newest.get(what)
            if found is None or preference.at > found.at:
                newest[what] = PreferenceStated(
                    what=what,
                    value=preference.value,
                    at=preference.at,
                    by="carried",
                    origin=preference.origin or stream,
                )
    return tuple(
        stated
        for what, stated in sorted(newest.items())
        if what not in into or into[what].at < stated.at
    )
