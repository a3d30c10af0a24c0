"""What a series of measurements comes to: medians, spreads, ratios, and whether a goal is reached. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["MOST_SPREAD", "Outcome", "Series", "missing", "outcome_of"]

MOST_SPREAD = 0.25  # a wider one says more about the machine than about the tool
_CLOSE = 0.10


@dataclass(frozen=True)
class Series:
    """The same thing measured once a round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value, which one bad round does not move."""
        return median(self.values)

    @property
    def spread(self) -> float:
        """Highest less lowest, as a share of the median."""
        return (max(self.values) - min(self.values)) / self.median

    def over(self, other: Series) -> Series:
        """The ratio round by round: what disturbed both of a round is not in it."""
        return Series(tuple(ours / theirs for ours, theirs in zip(self.values, other.values, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a goal. holds: `yes`, `no`, or why it cannot be said. close: more rounds would tell more."""

    figure: float | None
    spread: float | None
    holds: str
    close: bool = False


def outcome_of(series: Series, *, at_least: float = 0.0, at_most: float = 0.0) -> Outcome:
    """Hold a series of rates or ratios against `at_least`, or its highest value against `at_most`."""
    if at_most:
        highest = max(series.values)
        return Outcome(figure=highest, spread=None, holds="yes" if highest < at_most else "no")
    figure, spread = series.median, series.spread
    if spread > MOST_SPREAD:
        return Outcome(figure=figure, spread=spread, holds="not measurable here", close=True)
    close = abs(figure / at_least - 1) < max(_CLOSE, spread / 2)
    return Outcome(figure=figure, spread=spread, holds="yes" if figure >= at_least else "no", close=close)


def missing(names: Sequence[str]) -> Outcome:
    """The outcome of a goal whose tools were not all there."""
    return Outcome(figure=None, spread=None, holds=f"not reached: no {' and no '.join(names)} here")
