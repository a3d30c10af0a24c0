"""The doors a reader is handed: they open the input that was named, or what is below it, and nothing else."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from haulier.errors import ConfigurationError, InputError
from haulier.io.readers.source import STDIN, open_file
from haulier.model.request import Header, Response

__all__ = ["SourceDoors"]


class SourceDoors:
    """Doors (see `haulier.model.parts.Doors`) for one input: the file, or the files of the folder, named."""

    def __init__(self, source: str) -> None:
        self._source = source

    def open_read(self, path: str) -> BinaryIO:
        """Open the input for reading; `-` is standard input. Raises ConfigurationError for any other path."""
        if path == STDIN == self._source:
            return _standard_input()
        if self._source == STDIN or not Path(path).resolve().is_relative_to(Path(self._source).resolve()):
            raise ConfigurationError(f"{path}: a reader may open its own input only, which is {self._source}")
        return open_file(path)

    def open_append(self, path: str) -> BinaryIO:
        """Refused: readers write nothing."""
        raise ConfigurationError(f"{path}: a reader may not write; it was handed the input {self._source}")

    def make_durable(self, file: BinaryIO) -> None:
        """Refused: readers write nothing."""
        raise ConfigurationError("a reader may not write; there is nothing to make durable")

    def send(self, method: str, url: str, *, headers: Sequence[Header] = (), body: bytes = b"") -> Response:
        """Refused: readers send nothing."""
        raise ConfigurationError(f"{method} {url}: a reader may not send; it was handed {self._source}")


def _standard_input() -> BinaryIO:
    # Not through sys.stdin's own buffer: a thread that waits for input would hold its lock when the process ends.
    try:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    except (AttributeError, OSError, ValueError):
        stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise InputError("standard input: there is none here; give the path of a file")
    return io.BufferedReader(_Kept(stream))


class _Kept(io.RawIOBase):
    """Standard input as it comes, which closing this leaves open: it is not ours."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._stream.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)
