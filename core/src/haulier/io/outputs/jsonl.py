"""The JSONL output: one line a settled request, appended to a file and made durable before it counts as written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import msgspec
from pydantic import Field

from haulier.errors import ConfigurationError
from haulier.model.answers import Condition
from haulier.model.json_value import NO_JSON, is_json
from haulier.model.parts import Doors, OutputType, Settings

__all__ = ["JSONL", "JsonlOutput", "JsonlSettings"]


_BEGINNING = b'{"id":"'  # of every line


class _Line(msgspec.Struct):
    id: str
    run: str


_decode = msgspec.json.Decoder(_Line).decode


class _Path(Protocol):
    @property
    def path(self) -> str:
        """The file to append to."""
        ...


class JsonlSettings(Settings):
    """Settings of the output `jsonl`."""

    path: str = Field(min_length=1, description="the file to append to, below the project's folder")
    include: list[str] = Field(
        default=[], description="attributes of the record to carry on besides those sent"
    )
    answer: bool = Field(
        default=False, description="carry the whole answer on: parsed body, and headers of interest"
    )
    when: Condition | None = Field(
        default=None,
        description="only lines that say so: `{at: /category, is: nsfw}`, at a JSON pointer into the line",
    )


class JsonlOutput:
    """Appends lines; a last line that a crash tore is cut off first, and comes again from the ledger.

    Raises ConfigurationError for a file that holds something else; it is left as it is.
    """

    def __init__(self, settings: _Path, doors: Doors) -> None:
        self._doors = doors
        self._file = doors.open_append(settings.path)
        size = self._file.seek(0, os.SEEK_END)
        if size and not self._is_own(size):
            self._file.close()
            raise ConfigurationError(self._not_own(settings.path))
        self._mend(size)

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

    def _is_own(self, size: int) -> bool:
        """Whether an output wrote the file: its last whole line is one, or what a crash left of its first."""
        torn = self._after_last_break(size)
        if len(torn) < size:
            return _is_line(self._after_last_break(size - len(torn) - 1))
        return torn[: len(_BEGINNING)] == _BEGINNING[: len(torn)] or _is_line(torn)

    def _not_own(self, path: str) -> str:
        return f"outputs jsonl: {path} holds something else than lines of an output; take another path"

    def _mend(self, size: int) -> None:
        torn = self._after_last_break(size)
        if not torn:
            return
        if self._is_whole(torn):
            self._file.write(b"\n")  # it only lacks its break: the crash took the last byte
        else:
            self._file.truncate(size - len(torn))

    def _is_whole(self, torn: bytes) -> bool:
        """Whether a line lacks nothing but its break."""
        return is_json(torn)

    def _after_last_break(self, size: int) -> bytes:
        tail = b""
        while len(tail) < size:
            start = max(0, size - len(tail) - 65536)
            self._file.seek(start)
            tail = self._file.read(size - len(tail) - start) + tail
            if (at := tail.rfind(b"\n")) >= 0:
                return tail[at + 1 :]
        return tail


def _is_line(text: bytes) -> bool:
    try:
        _decode(text)
    except NO_JSON:
        return False
    return True


JSONL = OutputType(
    name="jsonl",
    title="JSON lines",
    description="Appends what came of each request to a file, one JSON object a line.",
    settings=JsonlSettings,
    factory=JsonlOutput,
)
