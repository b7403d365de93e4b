"""A text on its way through a pool, and how its fate gets back to whoever submitted it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smpp import dispatch
from smpp.errors import NotSent
from smpp.texts import Settled, Sink, Text, Token

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, kw_only=True)
class Submission(dispatch.Text):
    """What the caller gave, and what the bind that has it has told so far."""

    text: Text
    sink: Sink
    open: int = 0  #: parts whose fate the bind has not told
    unwritten: dict[int, NotSent] | None = None  #: by place


class Fates:
    """The sink that every bind tells; its tokens are a submission and the place of a part."""

    def __init__(self, settle: Callable[[Settled], None]) -> None:
        self.settle = settle

    def wanted(self, tokens: Sequence[Token]) -> bool:
        """Whether whoever submitted the text still wants it."""
        submission: Submission = tokens[0][0]
        return submission.sink.wanted(submission.text.tokens)


class Told:
    """What is to be passed on to each sink, in one batch."""

    def __init__(self) -> None:
        self._batches: dict[Sink, Settled] = {}

    def of(self, submission: Submission) -> Settled:
        """The batch of its sink."""
        batch = self._batches.get(submission.sink)
        if batch is None:
            batch = self._batches[submission.sink] = Settled()
        return batch

    def tell(self) -> None:
        """Pass everything on; a sink that fails does not keep it from the others."""
        for sink, settled in self._batches.items():
            try:
                sink.settle(settled)
            except Exception as error:  # noqa: BLE001  # the caller's; the pool must go on
                logger.error("a sink failed: %s", type(error).__name__)
