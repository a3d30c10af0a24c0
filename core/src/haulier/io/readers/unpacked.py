"""Doors through which a packed input is read as if it were not: `x.slips.gz` for a reader of `.slips`."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from typing import BinaryIO

from haulier.io.readers.source import checked_read
from haulier.model.parts import Doors, ReaderType
from haulier.model.request import Header, Response

__all__ = ["unpacking"]

_PACKED = ".gz"


def unpacking(doors: Doors, path: str, reader: ReaderType) -> Doors:
    """The doors for an input that was named; unpacked where its name ends in .gz, and no ending of the reader."""
    lowered = path.lower()
    own = any(lowered.endswith(ending) for ending in reader.endings)
    return _UnpackedDoors(doors, path) if lowered.endswith(_PACKED) and not own else doors


class _UnpackedDoors:
    """Doors (see `haulier.model.parts.Doors`) behind which one path is unpacked with gzip."""

    def __init__(self, doors: Doors, packed: str) -> None:
        self._doors, self._packed = doors, packed

    def open_read(self, path: str) -> BinaryIO:
        """As other doors do; of the packed file what it holds. Reading raises InputError where it is damaged."""
        file = self._doors.open_read(path)
        return io.BufferedReader(_Unpacked(file, path)) if path == self._packed else file

    def open_append(self, path: str) -> BinaryIO:
        """As other doors do."""
        return self._doors.open_append(path)

    def make_durable(self, file: BinaryIO) -> None:
        """As other doors do."""
        self._doors.make_durable(file)

    def send(self, method: str, url: str, *, headers: Sequence[Header] = (), body: bytes = b"") -> Response:
        """As other doors do."""
        return self._doors.send(method, url, headers=headers, body=body)


class _Unpacked(io.RawIOBase):
    """What a packed file holds, from its beginning on; closing it closes the file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._unpacked = gzip.GzipFile(mode="rb", fileobj=file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = checked_read(self._unpacked.read1, len(buffer), self._name)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        super().close()
        self._file.close()
