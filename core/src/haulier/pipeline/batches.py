"""Open batches: records waiting for company, in order, with the positions they came from."""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import Any

from haulier.model.request import Positions

__all__ = ["OpenBatch", "positions_of"]


class OpenBatch:
    """Records of one address that still wait for their batch to fill; taken out from the front, in order."""

    __slots__ = ("_first", "_spans", "items", "records")

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.records: list[bytes] = []
        self._spans: list[range] = []

    def __len__(self) -> int:
        return len(self.items)

    def add(self, first: int, items: list[Any], records: list[bytes]) -> None:
        """Append consecutive records, the first of them at position `first`."""
        self.items += items
        self.records += records
        last = self._spans[-1] if self._spans else None
        if last is not None and last.stop == first:
            self._spans[-1] = range(last.start, first + len(items))
        else:
            self._spans.append(range(first, first + len(items)))

    def take(self, count: int, start: int) -> tuple[Positions, list[Any], list[bytes]]:
        """The `count` records from index `start` on; `forget` lets go of them afterwards, once for many takes."""
        stop = start + count
        return self._positions(start, stop), self.items[start:stop], self.records[start:stop]

    def forget(self, count: int) -> None:
        """Let go of the first `count` records."""
        del self.items[:count]
        del self.records[:count]
        if len(self._spans) == 1:
            only = self._spans[0][count:]
            self._spans = [only] if only else []
            return
        left: list[range] = []
        for span in self._spans:
            if count >= len(span):
                count -= len(span)
            else:
                left.append(span[count:])
                count = 0
        self._spans = left

    def first_position(self) -> int:
        """Position of the oldest record held; only where there is one."""
        return self._spans[0].start

    def _positions(self, start: int, stop: int) -> Positions:
        if len(self._spans) == 1:
            return self._spans[0][start:stop]
        found: list[range] = []
        for span in self._spans:
            if start < len(span):
                found.append(span[start : min(stop, len(span))])
            start, stop = max(0, start - len(span)), stop - len(span)
            if stop <= 0:
                break
        return positions_of(found)


def positions_of(spans: list[range]) -> Positions:
    """Ascending spans as positions: a range where they are one stretch, else an array of 64-bit integers."""
    if not spans:
        return range(0)
    if len(spans) == 1:
        return spans[0]
    if all(before.stop == after.start for before, after in pairwise(spans)):
        return range(spans[0].start, spans[-1].stop)
    return array("q", [position for span in spans for position in span])
