"""Everything that a dialplan may ask, by its script."""

from __future__ import annotations

from collections.abc import Callable

from ari_app.agi.callback import RequestCallback
from ari_app.agi.callers import Callers, Reach
from ari_app.agi.consent import Consent
from ari_app.agi.eligibility import Eligibility
from ari_app.agi.open_conversation import OpenConversation
from ari_app.agi.server import Answer, Use
from ari_app.agi.text import SendText
from ari_app.policy.bundle import Bundle


def uses(
    callers: Callers,
    bundle: Bundle,
    reach: Reach,
    can_send: Callable[[], bool],
    receipt_patience: float = 900.0,
) -> dict[str, Use | Answer]:
    """For an AgiServer; `can_send` says whether a bind is up."""
    return {
        "consent": Consent(callers),
        "eligibility": Eligibility(callers, reach, can_send),
        "open-conversation": OpenConversation(callers),
        "text": SendText(callers, bundle, reach, can_send, receipt_patience),
        "callback": RequestCallback(callers, reach),
    }
