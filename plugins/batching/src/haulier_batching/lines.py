"""`lines`: the records one after the other, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from haulier.authoring import GroupingAlgorithm, NoSettings

__all__ = ["LINES", "Lines"]


class Lines:
    """Shapes a batch into its items, in order; the content format puts each on a line of its own."""

    def __init__(self, settings: NoSettings) -> None:
        """There is nothing to set."""

    def build(self, items: Sequence[Any]) -> list[Any]:
        """Return `[item, item, ...]`."""
        return list(items)


LINES = GroupingAlgorithm(
    name="lines",
    title="Lines",
    description=(
        "The body is the records one after the other, each on a line of its own (NDJSON, JSON Lines). It goes with the "
        "content format `ndjson`. There is nothing to set."
    ),
    factory=Lines,
    formats=("ndjson",),
    anywhere=True,
)
