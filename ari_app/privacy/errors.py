"""
What can go wrong with sealed texts and their keys.

PrivacyError
├── SealBroken         a sealed text was changed, moved or swapped: look at the log, not at the key
├── WrongKek           this key-encryption key does not open the key database
├── KeyDamaged         a wrapped key was changed or moved: restore the key database
├── Held               the owner is under legal hold: release it first
├── ErasureIncomplete  the keys are deleted but bytes of them may be on disk: repeat it
└── LedgerDamaged      a line of the erasure ledger cannot be read: restore the ledger
"""

from ari_app.errors import SegueError


class PrivacyError(SegueError):
    """Base of all."""


class SealBroken(PrivacyError):
    """The text is not what was sealed at this place by this key."""

    def __init__(self, place: str) -> None:
        super().__init__(f"the sealed text at {place} was changed, or sealed at another place")
        self.place = place


class WrongKek(PrivacyError):
    """The key-encryption key is not the one that the data keys are wrapped by."""


class KeyDamaged(PrivacyError):
    """A wrapped key does not open although the key-encryption key is right."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the row of {key} was changed: restore the key database from a backup")
        self.key = key


class Held(PrivacyError):
    """A legal hold forbids it."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"{owner} is under legal hold: release the hold first")
        self.owner = owner


class ErasureIncomplete(PrivacyError):
    """No program can use the keys any more, but their bytes could not be removed yet."""


class LedgerDamaged(PrivacyError):
    """The erasure ledger has a line that is none of ours."""
