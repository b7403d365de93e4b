"""Who is one person with whom: read from the log, and written to it."""

from __future__ import annotations

import logging
import os

from ari_app.conversation.events import IdentityProved, PreferenceStated
from ari_app.conversation.identity import new_id
from ari_app.conversation.persons import Gathering, Links, Person, join, links, part
from ari_app.conversation.preferences import carried as preferences_carried
from ari_app.conversation.verification import Verification
from ari_app.conversation.verification import carried as proofs_carried
from ari_app.errors import TooManyJoined
from ari_app.ports import Clock, Store

# Each of them has carried over what held before it.
_LOOKED_AT = 5

logger = logging.getLogger(__name__)


class Persons:
    """Joins and partings are events in the streams of the subjects themselves."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def of(self, subject: str) -> Person:
        """Everybody who is one with this subject; itself alone if nobody is. TooManyJoined."""
        gathering = Gathering(subject)
        while wanted := gathering.wanted():
            for stream in wanted:
                gathering.take(stream, [e.event for e in await self._store.read(stream)])
        return gathering.person()

    async def latest(self, subject: str) -> str | None:
        """The person's most recent conversation, by whichever number or visit it came."""
        return await self._store.latest(*(await self.of(subject)).subjects)

    async def brings(self, subject: str, highest: int) -> list[IdentityProved | PreferenceStated]:
        """What a new conversation of this person begins with: proofs that hold, and preferences.

        Proofs above the `highest` level stay where they were given.
        """
        try:
            subjects = (await self.of(subject)).subjects
        except TooManyJoined as error:
            logger.warning("%s begins with what its own conversations know: %s", subject, error)
            subjects = frozenset({subject})
        streams = await self._store.lately(*sorted(subjects), limit=_LOOKED_AT)
        known = {stream: await self._store.state(stream) for stream in streams}
        proofs = {stream: state.verification for stream, state in known.items()}
        preferences = {stream: state.preferences for stream, state in known.items()}
        return [
            *proofs_carried(proofs, Verification(), self._clock.now(), highest),
            *preferences_carried(preferences, {}),
        ]

    async def join(self, one: str, other: str, *, reason: str, by: str) -> Person:
        """Make them one person; to be repeated after a failure. ValueError, TooManyJoined."""
        both = (await self.of(one)).joined_with(await self.of(other))
        # A join of which only one half was written is completed, not made twice.
        known = (await self._known(one, other)).now()
        made = sorted(link.join for link in known if link.ends == {one, other})
        id = made[0] if made else new_id("join", self._clock.now(), os.urandom(10))
        for stream, event in join(one, other, id=id, reason=reason, by=by):
            await self._store.append(stream, [event], dedupe=f"{id}:{stream}")
        return both

    async def part(self, one: str, other: str, *, reason: str, by: str) -> int:
        """Undo every join of these two; how many there were. ValueError."""
        halves = part(one, other, await self._known(one, other), reason=reason, by=by)
        for stream, event in halves:
            await self._store.append(stream, [event], dedupe=f"part:{event.join}:{stream}")
        return len(halves) // 2

    async def _known(self, one: str, other: str) -> Links:
        said = [links(s, [e.event for e in await self._store.read(s)]) for s in (one, other)]
        return said[0] | said[1]
