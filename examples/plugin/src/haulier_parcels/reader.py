"""`slips`: parcel slips, `number|weight|town` a line, in files that end in .slips."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from haulier.authoring import Block, Doors, Reader, ReaderType

__all__ = ["SLIPS"]

_COLUMNS = ("id", "weight", "town")


class Slips:
    """The records of one file, a block of 256 lines at a time."""

    repeatable = True

    def __init__(self, path: str, doors: Doors) -> None:
        """Keep what was named; it is opened through the doors, and nothing else can be."""
        self._path, self._doors = path, doors

    def blocks(self) -> Iterator[Block]:
        """Yield the records; a line of another width is a fault of that record alone."""
        with self._doors.open_read(self._path) as file:
            first = 0
            while rows := [line.rstrip(b"\r\n").split(b"|") for line in islice(file, 256)]:
                lines, faults = [], {}
                for index, row in enumerate(rows):
                    cells = [cell.decode("utf-8", "replace") for cell in row]
                    if len(cells) != len(_COLUMNS):
                        faults[index] = f"has {len(cells)} columns, not {len(_COLUMNS)}"
                    lines.append(msgspec.json.encode(dict(zip(_COLUMNS, cells, strict=False))))
                yield Block(first=first, lines=lines, first_line=first + 1, plain=True, faults=faults)
                first += len(lines)


def _open(path: str, doors: Doors) -> Reader:
    return Slips(path, doors)


SLIPS = ReaderType(
    name="slips",
    title="Parcel slips",
    description="number|weight|town, a parcel a line; every value stays text",
    factory=_open,
    endings=(".slips",),
)
