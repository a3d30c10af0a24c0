"""Sets of positions as merged stretches: small however many positions they hold."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

__all__ = ["PositionSet", "stretches"]


class PositionSet:
    """A frozen set of positions, made from stretches in any order."""

    def __init__(self, stretches: Iterable[Sequence[int]]) -> None:
        spans: list[tuple[int, int]] = []
        for stretch in stretches:
            if isinstance(stretch, range):
                spans.append((stretch.start, stretch.stop))
            else:
                spans += [(position, position + 1) for position in stretch]
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in sorted(spans):
            if self._stops and start <= self._stops[-1]:
                self._stops[-1] = max(self._stops[-1], stop)
            else:
                self._starts.append(start)
                self._stops.append(stop)

    def __contains__(self, position: int) -> bool:
        at = bisect_right(self._starts, position) - 1
        return at >= 0 and position < self._stops[at]

    def without(self, stretches: Iterable[Sequence[int]]) -> PositionSet:
        """What is left of the set beside these stretches."""
        taken = PositionSet(stretches)
        spans = zip(self._starts, self._stops, strict=True)
        return PositionSet(left for start, stop in spans for left in taken.missing(start, stop))

    def missing(self, start: int, stop: int) -> list[range]:
        """The stretches of [start, stop) that are not in the set, ascending."""
        gaps: list[range] = []
        at = max(0, bisect_right(self._starts, start) - 1)
        while start < stop:
            if at >= len(self._starts) or self._starts[at] >= stop:
                gaps.append(range(start, stop))
                break
            if self._starts[at] > start:
                gaps.append(range(start, self._starts[at]))
            start = max(start, self._stops[at])
            at += 1
        return gaps


def stretches(positions: Sequence[int]) -> list[range]:
    """Ascending positions as stretches of consecutive ones."""
    if isinstance(positions, range):
        return [positions]
    found: list[range] = []
    for position in positions:
        if found and found[-1].stop == position:
            found[-1] = range(found[-1].start, position + 1)
        else:
            found.append(range(position, position + 1))
    return found
