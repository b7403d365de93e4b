"""agi://host/open-conversation: what is open for this caller?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ari_app.agi.callers import Callers
from ari_app.agi.protocol import AgiRequest
from ari_app.conversation.message import MessageState
from ari_app.conversation.state import Conversation

# A text of unknown fate stays so for good: it keeps nothing open.
_UNDER_WAY = frozenset({MessageState.PROMISED, MessageState.SUBMITTED})
_TOPIC = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class OpenConversation:
    """SEGUE_CONVERSATION_STATE, of the conversation that the caller turned to last.

    `live`: on the line with us. `open`: a question, a text, a hand-off or a call-back is not done.
    `closed`: nothing is. `none`: there is no conversation. `unknown`: no number, or no answer.
    SEGUE_CONVERSATION is its id and SEGUE_CONVERSATION_TOPIC its topic, "" where there is none.
    """

    callers: Callers
    deadline: float = 1.5

    @property
    def unknown(self) -> Mapping[str, str]:
        """See the protocol `Use`."""
        return _said("unknown")

    async def answer(self, request: AgiRequest) -> Mapping[str, str]:
        """See the protocol `Use`."""
        number = self.callers.number(request)
        if number is None:
            return self.unknown
        stream = await self.callers.latest(number)
        if stream is None:
            return _said("none")
        state = await self.callers.store.state(stream)
        return _said(how_it_is(state, self.callers.clock.now()), stream, state.topic or "")


def how_it_is(state: Conversation, now: int) -> str:
    """`live`, `open` or `closed`; `now` in UTC microseconds."""
    if state.on_the_line is not None:
        return "live"
    texts = any(message.state in _UNDER_WAY for message in state.messages.values())
    handoffs = "recorded" in state.handoffs.values()
    return "open" if state.question or texts or handoffs or state.callbacks else "closed"


def _said(word: str, conversation: str = "", topic: str = "") -> Mapping[str, str]:
    return {
        "SEGUE_CONVERSATION": conversation,
        # A bundle may name its topics as it likes; a dialplan takes no more than this.
        "SEGUE_CONVERSATION_TOPIC": topic if _TOPIC.fullmatch(topic) else "",
        "SEGUE_CONVERSATION_STATE": word,
    }
