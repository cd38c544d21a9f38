"""What can be wrong with a store, as a sentence for people and a word for whoever must decide what to do."""

from __future__ import annotations

from enum import StrEnum

from pxed.errors import PxedError


class Trouble(StrEnum):
    """What to do about a store that failed."""

    AWAY = "away"  # it cannot be reached: try again soon
    FULL = "full"  # it is there and does not take writes: a full disk, a failing one
    ROW = "row"  # one of the rows cannot be stored; the others can
    MISSING = "missing"  # there is no store yet, and it was only to be read
    LOCKED = "locked"  # another pxed has it
    STALE = "stale"  # another pxed had it meanwhile: what this one remembers is out of date
    UNUSABLE = "unusable"  # damaged, foreign, too new, or not allowed: an operator must act


class StoreError(PxedError):
    """The store cannot be read or written. The text says why and what to do; it never holds a password."""

    def __init__(self, text: str, trouble: Trouble = Trouble.UNUSABLE) -> None:
        super().__init__(text)
        self.trouble = trouble
