"""`manifest`: the records of a batch with their number beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from haulier.authoring import GroupingAlgorithm, Settings

__all__ = ["MANIFEST"]


class ManifestSettings(Settings):
    """Settings of `manifest`."""

    sender: str = Field(default="", description="who sends, where that is to be said")


class Manifest:
    """Shapes a batch into `{"count": 2, "parcels": [record, record]}`."""

    def __init__(self, settings: ManifestSettings) -> None:
        """Take the checked settings."""
        self._beside = {"sender": settings.sender} if settings.sender else {}

    def build(self, items: Sequence[Any]) -> dict[str, Any]:
        """Place the items, each exactly once, without looking into them."""
        return {**self._beside, "count": len(items), "parcels": list(items)}


MANIFEST = GroupingAlgorithm(
    name="manifest",
    title="Manifest",
    description="An object with the number of records, and the records.",
    factory=Manifest,
    settings=ManifestSettings,
)
