"""One caller's way to people: to a phone that the policy names, or to what it has for nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ari_app.calls.instruments import Instruments
from ari_app.calls.journal import Journal
from ari_app.calls.leg import Leg
from ari_app.calls.nobody import Nobody
from ari_app.calls.people import People
from ari_app.calls.signals import Evicted, Next, Told
from ari_app.ports import Exit

logger = logging.getLogger(__name__)


class Reaching:
    """Either `bring` or `go_on`, once; `exit` is how the call leaves afterwards."""

    def __init__(
        self,
        call: str,
        channel: str,
        tools: Instruments,
        journal: Journal,
        leg: Leg,
        person: str,
        tell: Callable[[Told], None],
    ) -> None:
        """`person` is the channel that the caller was found joined with, or ""."""
        self._call = call
        self._channel = channel
        self._tools = tools
        self._journal = journal
        self._leg = leg
        self._person = person
        self._tell = tell
        self._people: People | None = None
        self._nobody: Nobody | None = None
        self.exit: Exit | None = None  # None: as it was decided before
        self.left_alone = False  # the two talk on without us: nothing is to be undone

    @property
    def begun(self) -> bool:
        """Whether the record for people has been made, and they are looked for."""
        return self._people is not None

    @property
    def joined(self) -> bool:
        """Whether the caller talks with a person, who hears none of us."""
        return self._people is not None and self._people.joined

    @property
    def phone(self) -> str:
        """The id of the phone that rings for the caller, or that they talk with; "" if none."""
        return self._people.phone if self._people else self._person.partition("-")[2]

    @property
    def waits(self) -> Nobody | People | None:
        """Who has a sense of time of their own now."""
        return self._nobody or self._people

    def caller_heard(self, at: float) -> bool:
        """The caller has heard what was played; whether that is to be told as Sign.SPOKEN."""
        if self._nobody is None and self._people is not None:
            self._people.caller_heard(at)
        return self._nobody is not None

    @property
    def met(self) -> bool:
        """Whether the caller was with a person when we found them."""
        return bool(self._person or self._journal.state.person)

    async def bring(self, reason: str, next: Next) -> None:
        """To a person, and until the two have talked; else to what there is for nobody."""
        people = self._people = self._people_of(reason)
        chosen = await people.find(next)
        if people.joined:
            await self._talk(people, next)
            return
        assert self._leg.line is not None, "a caller who talked with us has a line"
        nobody = Nobody(self._call, self._tools, self._journal, self._leg.line, reason)
        self._nobody = nobody
        self.exit = await nobody.fall_back(chosen, people.missed, next)

    async def go_on(self, reason: str, next: Next) -> None:
        """The two have been talking all the while; or one of them has hung up meanwhile."""
        people = self._people = self._people_of(reason)
        people.found(self._person.partition("-")[2] or self._journal.state.person or "")
        await self._leg.release()
        if self._person:
            await people.note_joined()
            await self._talk(people, next)
        else:
            self.exit = Exit.DONE
            await people.part("lost")

    async def _talk(self, people: People, next: Next) -> None:
        self.exit = Exit.DONE
        try:
            await people.talk(next)
        except (Evicted, asyncio.CancelledError):
            self.left_alone = True
            logger.warning("call %s goes on with a person, without us", self._call)
            raise

    def _people_of(self, reason: str) -> People:
        return People(
            self._call, self._channel, self._tools, self._journal, self._leg, reason, self._tell
        )
