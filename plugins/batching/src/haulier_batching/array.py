"""`array`: the records as one JSON array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from haulier.authoring import GroupingAlgorithm, NoSettings

__all__ = ["ARRAY", "Array"]


class Array:
    """Shapes a batch into the list of its items, in order."""

    def __init__(self, settings: NoSettings) -> None:
        """There is nothing to set."""

    def build(self, items: Sequence[Any]) -> list[Any]:
        """Return `[item, item, ...]`."""
        return list(items)


ARRAY = GroupingAlgorithm(
    name="array",
    title="Array",
    description="The body is the list of records: `[record, record, ...]`. There is nothing to set.",
    factory=Array,
    anywhere=True,
)
