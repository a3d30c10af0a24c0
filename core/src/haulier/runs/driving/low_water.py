"""The low-water mark of a run: every record below it is settled. What is above it, a resume looks at one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from haulier.runs.inputs.positions import stretches

__all__ = ["LowWater"]


class LowWater:
    """What holds the mark down, besides requests that are not settled.

    pending_from: the oldest record that is in no request yet. missing: stretches of positions that an earlier sitting
    had read and that are in no request; each stays pending until it is taken again. held_back: positions of records
    whose refusal does not count yet.
    """

    def __init__(self, pending_from: int, missing: Sequence[range]) -> None:
        self.pending_from = pending_from
        self.held_back: list[int] = []
        self._missing = list(missing)

    @property
    def has_gaps(self) -> bool:
        """Whether any of an earlier sitting's gaps is left."""
        return bool(self._missing)

    def found(self, positions: Sequence[int]) -> None:
        """These records are in a request again, or rejected: an earlier sitting's gaps shrink."""
        if self._missing:
            for stretch in stretches(positions):
                self._missing = [left for gap in self._missing for left in _without(gap, stretch)]

    def lost(self, positions: Sequence[int]) -> None:
        """These records of an earlier sitting are in no request any more: further gaps."""
        self._missing += stretches(sorted(positions))

    def now(self, unsettled: Iterable[int]) -> int:
        """The mark; `unsettled`: the lowest position of each request that is not settled."""
        missing = (gap.start for gap in self._missing)
        return min([self.pending_from, *unsettled, *missing, *self.held_back])


def _without(gap: range, stretch: range) -> Iterator[range]:
    """What is left of a stretch of positions outside another."""
    if gap.start < stretch.start:
        yield range(gap.start, min(gap.stop, stretch.start))
    if gap.stop > stretch.stop:
        yield range(max(gap.start, stretch.stop), gap.stop)
