"""How the tables came to be: a file in `versions` for each step, never changed once it is released.

Another step is one more file, `NNNN_what.py`, with `revision`, `down_revision`, `kind` and
`upgrade()`. Nothing else has to name it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expand:
    """Programs of older revisions go on beside it, reading and writing, and may be started again.

    So it only adds: tables, indexes, columns that may be null or have a constant default.
    """


@dataclass(frozen=True, slots=True)
class Contract:
    """Programs older than `oldest` cannot work with it: stop them before."""

    oldest: str
