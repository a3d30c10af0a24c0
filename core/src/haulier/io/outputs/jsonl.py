"""The JSONL output: one line a settled request, appended to a file and made durable before it counts as written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import msgspec
from pydantic import Field

from haulier.model.answers import Condition
from haulier.model.parts import Doors, OutputType, Settings

__all__ = ["JSONL", "JsonlOutput", "JsonlSettings"]


class _Path(Protocol):
    @property
    def path(self) -> str:
        """The file to append to."""
        ...


class JsonlSettings(Settings):
    """Settings of the output `jsonl`."""

    path: str = Field(min_length=1, description="the file to append to, below the project's folder")
    include: list[str] = Field(
        default_factory=list, description="attributes of the record to carry on besides those sent"
    )
    answer: bool = Field(
        default=False, description="carry the whole answer on: parsed body, and headers of interest"
    )
    when: Condition | None = Field(
        default=None,
        description="only lines that say so: `{at: /category, is: nsfw}`, at a JSON pointer into the line",
    )


class JsonlOutput:
    """Appends lines; a last line that a crash tore is cut off first, and comes again from the ledger."""

    def __init__(self, settings: _Path, doors: Doors) -> None:
        self._doors = doors
        self._file = doors.open_append(settings.path)
        self._mend()

    def write(self, lines: Sequence[bytes]) -> None:
        """Append the lines and wait until the disk has them."""
        self._append(b"".join(line + b"\n" for line in lines))
        self._doors.make_durable(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def _mend(self) -> None:
        size = self._file.seek(0, os.SEEK_END)
        torn = self._after_last_break(size)
        if not torn:
            return
        if self._is_whole(torn):
            self._file.write(b"\n")  # it only lacks its break: somebody else's line, or the crash's last byte
        else:
            self._file.truncate(size - len(torn))

    def _is_whole(self, torn: bytes) -> bool:
        try:
            msgspec.json.decode(torn)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return True

    def _after_last_break(self, size: int) -> bytes:
        tail = b""
        while len(tail) < size:
            start = max(0, size - len(tail) - 65536)
            self._file.seek(start)
            tail = self._file.read(size - len(tail) - start) + tail
            if (at := tail.rfind(b"\n")) >= 0:
                return tail[at + 1 :]
        return tail


JSONL = OutputType(
    name="jsonl",
    title="JSON lines",
    description="Appends what came of each request to a file, one JSON object a line.",
    settings=JsonlSettings,
    factory=JsonlOutput,
)
