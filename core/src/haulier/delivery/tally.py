"""How many requests a service took, and since when: counted in steps, so that a long time takes no more memory."""

from __future__ import annotations

from bisect import bisect_right

import msgspec

__all__ = ["Tally"]

_STEPS = 64
_KEPT = 4 * _STEPS


class Tally(msgspec.Struct, gc=False, kw_only=True):
    """total: all that were taken. span_s: of the times that are asked for; steps are a 64th, and 128 of them are kept.

    Times in seconds, told about in their order; those within one step are taken as evenly spread.
    """

    span_s: float
    total: int = 0
    _first: float = 0.0
    _firsts: list[float] = []
    _lasts: list[float] = []
    _befores: list[int] = []  # how many were taken before the step

    def add(self, at: float) -> None:
        """One was taken then."""
        if self._firsts and at < self._firsts[-1] + self.span_s / _STEPS:
            self._lasts[-1] = max(self._lasts[-1], at)
        else:
            if len(self._firsts) >= _KEPT:
                for kept in (self._firsts, self._lasts, self._befores):
                    del kept[: _KEPT // 2]
            if not self.total:
                self._first = at
            self._firsts.append(at)
            self._lasts.append(at)
            self._befores.append(self.total)
        self.total += 1

    def take_back(self) -> None:
        """One of the last was not taken after all."""
        self.total = max(0, self.total - 1)
        if self._befores:
            self._befores[-1] = min(self._befores[-1], self.total)

    def by(self, moment: float) -> float:
        """How many were taken by then; of what is too long ago to tell as if they were evenly spread."""
        step = bisect_right(self._firsts, moment) - 1
        if step < 0:
            if not self._firsts or moment <= self._first:
                return 0
            return self._befores[0] * (moment - self._first) / (self._firsts[0] - self._first)
        first, last, before = self._firsts[step], self._lasts[step], self._befores[step]
        count = self._before(step + 1) - before
        if moment >= last or count < 2:
            return before + count
        return before + 1 + (count - 1) * (moment - first) / (last - first)

    def moment(self, count: float) -> float:
        """When so many had been taken; what is too long ago to tell was at the first time known."""
        step = bisect_right(self._befores, count - 1) - 1
        if step < 0:
            return self._firsts[0] if self._firsts else 0.0
        first, last, before = self._firsts[step], self._lasts[step], self._befores[step]
        others = self._before(step + 1) - before - 1
        return first + (last - first) * min(1.0, (count - before - 1) / others) if others > 0 else first

    def _before(self, step: int) -> int:
        return self._befores[step] if step < len(self._befores) else self.total
