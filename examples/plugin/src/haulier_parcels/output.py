"""`receipts`: which record came to what, one `key<TAB>state` a line."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from haulier.authoring import Doors, OutputType, Settings, as_text, decoded

__all__ = ["RECEIPTS"]


class ReceiptsSettings(Settings):
    """Settings of the output `receipts`."""

    path: str = Field(description="the file to append to, below the project's folder")


class Receipts:
    """Appends receipts to a file."""

    def __init__(self, settings: ReceiptsSettings, doors: Doors) -> None:
        """Open the file through the doors."""
        self._doors, self._file = doors, doors.open_append(settings.path)

    def write(self, lines: Sequence[bytes]) -> None:
        """Be durable before returning: what was written is not given again."""
        for line in lines:
            told = decoded(line)
            keys = told.get("keys") or [told.get("key")]
            self._file.writelines(f"{as_text(key)}\t{told['state']}\n".encode() for key in keys)
        self._doors.make_durable(self._file)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


RECEIPTS = OutputType(
    name="receipts",
    title="Receipts",
    description="One line a record: its key and what became of it.",
    settings=ReceiptsSettings,
    factory=Receipts,
)
