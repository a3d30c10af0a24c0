"""On which line of the input each record of a batch stands, so that messages name it where it can be found."""

from __future__ import annotations

from bisect import bisect_right

from haulier.model.block import Block
from haulier.model.request import Positions

__all__ = ["LineNumbers"]

_MOST = 20_000


class LineNumbers:
    """Notes where position and line part; of records longer ago than some 20,000 such places it knows no lines."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ahead: list[int | None] = []

    def note(self, block: Block) -> None:
        """Take note of a block; they come in order."""
        ahead = None if block.first_line is None else block.first_line - block.first
        if self._ahead and self._ahead[-1] == ahead:
            return
        self._starts.append(block.first)
        self._ahead.append(ahead)
        if len(self._starts) > 2 * _MOST:
            del self._starts[:_MOST], self._ahead[:_MOST]

    def place(self, position: int) -> str:
        """`line 7`, or `record 6` where no line is known."""
        word, number = self._number(position)
        return f"{word} {number}"

    def places(self, positions: Positions) -> str:
        """Those of a batch: `line 7`, `lines 1 to 100`, `40 records between lines 3 and 77`."""
        if len(positions) == 1:
            return self.place(positions[0])
        (word, first), (ending, last) = self._number(positions[0]), self._number(positions[-1])
        if word != ending:
            word, first, last = "record", positions[0], positions[-1]
        if isinstance(positions, range):
            return f"{word}s {first} to {last}"
        return f"{len(positions):,} records between {word}s {first} and {last}"

    def _number(self, position: int) -> tuple[str, int]:
        at = bisect_right(self._starts, position) - 1
        ahead = self._ahead[at] if at >= 0 else None
        return ("record", position) if ahead is None else ("line", position + ahead)
