"""What the stages of a chain share in their books: the numbers of lines for outputs, and records that go on."""

from __future__ import annotations

from typing import Protocol

from haulier.io.ledger.rows import OnwardRow

__all__ = ["Goer", "Numbering"]


class Numbering:
    """Numbers the lines that outputs are owed, in the order of commits: those of all stages of a chain together."""

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> int:
        """The next number."""
        self._next += 1
        return self._next - 1

    def after(self, newest: int) -> None:
        """Lines an earlier sitting still owes, up to this number: go on counting after them."""
        self._next = max(self._next, newest + 1)


class Goer(Protocol):
    """Makes the records that go on to later stages of a chain."""

    def anything(self) -> bool:
        """Whether there are any that were not taken."""
        ...

    def take(self) -> list[OnwardRow]:
        """Those that came up since the last time, in their order."""
        ...
