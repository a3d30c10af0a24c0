"""One opened input as plain bytes: a file or standard input, unpacked, its byte order mark taken off.

Whatever goes wrong with the bytes becomes an InputError that names the input here, so that no reader above
knows of operating systems or compression.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from haulier.errors import InputError
from haulier.model.parts import Doors

__all__ = [
    "CHUNK_BYTES",
    "STDIN",
    "ByteStream",
    "QuickFingerprint",
    "Source",
    "checked_read",
    "open_file",
    "quick_fingerprint",
]

STDIN = "-"
CHUNK_BYTES = 64 * 1024
_EDGE_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class QuickFingerprint(msgspec.Struct, frozen=True, gc=False):
    """Finds candidates for "the same input": size in bytes as stored, SHA-256 of its first and last MiB."""

    size: int
    sha256: bytes


def quick_fingerprint(path: str | os.PathLike[str]) -> QuickFingerprint | None:
    """The quick fingerprint of a regular file, as stored (still packed); None for what has no fixed bytes.

    Files up to 2 MiB are hashed whole. Proves nothing alone: two inputs may differ in the middle.
    """
    if os.fspath(path) == STDIN:
        return None
    with open_file(os.fspath(path)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        digest = hashlib.sha256(file.read(_EDGE_BYTES))
        file.seek(max(_EDGE_BYTES, status.st_size - _EDGE_BYTES))
        digest.update(file.read(_EDGE_BYTES))
    return QuickFingerprint(status.st_size, digest.digest())


def open_file(path: str) -> BinaryIO:
    """Open a path for reading, unbuffered; raises InputError where that cannot be done."""
    try:
        return Path(path).open("rb", buffering=0)
    except FileNotFoundError:
        if "://" in path:
            raise InputError(
                f"{path}: no reader takes such an address; fetch it and give the file, or install a plugin that "
                "reads it"
            ) from None
        raise InputError(
            f"{path}: no such file; give the path of the records, or - for standard input"
        ) from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give the path of one file in it") from None
    except PermissionError:
        raise InputError(f"{path}: may not be read by this user; check its permissions") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened: {error}") from None


class Source:
    """An input that can be opened: a path, or `-` for standard input.

    name: as messages name it. repeatable: a regular file is, a pipe or standard input is not and opens once.
    Raises InputError where there is nothing to open.
    """

    def __init__(self, path: str, doors: Doors) -> None:
        self.path = path
        self.name = "standard input" if path == STDIN else path
        self.repeatable = path != STDIN and Path(path).is_file()
        self._doors = doors
        self._opened = False
        if self.repeatable:
            doors.open_read(path).close()
        elif path != STDIN and (not Path(path).exists() or Path(path).is_dir()):
            open_file(path).close()

    def open(self) -> ByteStream:
        """The bytes from the beginning; raises InputError at the second opening of what opens once."""
        if self._opened and not self.repeatable:
            raise InputError(
                f"{self.name}: was read already and cannot be read twice; write it to a file first"
            )
        self._opened = True
        return ByteStream(
            self._doors.open_read(self.path), self.name, packed=self.path.lower().endswith(".gz")
        )


class ByteStream:
    """Bytes of an opened input in reading order; a context manager that closes it.

    packed: whether the name says gzip; gzip is recognised by its first bytes too.
    """

    def __init__(self, raw: BinaryIO, name: str, *, packed: bool = False) -> None:
        self.name = name
        self._raw = raw
        # read1 of a buffered stream and read of a raw one give what is there without waiting for more.
        self._read_raw: Callable[[int], bytes] = getattr(raw, "read1", raw.read)
        self._packed = packed
        self._held: deque[bytes] = deque()
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._raw.close()

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Up to `size` bytes, as many as are there without waiting longer; b"" at the end."""
        if not self._begun:
            self._begin()
        if self._held:
            data = self._held.popleft()
            if len(data) > size:
                self._held.appendleft(data[size:])
            return data[:size]
        return self._checked(self._read_raw, size)

    def unread(self, pieces: Sequence[bytes]) -> None:
        """Put back what was read: the next reads give it first."""
        self._held.extendleft(reversed(pieces))

    def _begin(self) -> None:
        self._begun = True
        head = self._first(2)
        if head.startswith(_GZIP):
            unpacked = gzip.GzipFile(mode="rb", fileobj=_Rejoined(head, self._read_raw))
            self._read_raw = _Filled(unpacked.read1)
            head = self._first(2)
        elif self._packed:
            raise InputError(
                f"{self.name}: ends in .gz but is not packed with gzip; rename it, or pack it again"
            )
        if head.startswith(_UTF16_MARKS):
            raise InputError(f"{self.name}: is UTF-16 text; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
        if _UTF8_MARK.startswith(head[:3]) and head:
            head += self._first(3 - len(head))
        if text := head.removeprefix(_UTF8_MARK):
            self._held.append(text)

    def _first(self, least: int) -> bytes:
        """At least `least` bytes, unless the input is shorter."""
        head = b""
        while len(head) < least and (more := self._checked(self._read_raw, CHUNK_BYTES)):
            head += more
        return head

    def _checked(self, read: Callable[[int], bytes], size: int) -> bytes:
        return checked_read(read, size, self.name)


def checked_read(read: Callable[[int], bytes], size: int, name: str) -> bytes:
    """What one call of `read` gives; InputError names the input where its bytes cannot be read or unpacked."""
    try:
        return read(size)
    except EOFError:
        raise InputError(f"{name}: the gzip data ends early; get the whole file and run again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{name}: the gzip data is damaged: {error}; get the file again") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error}") from None


class _Rejoined:
    """What was read ahead, then the rest: all that gzip needs of a file."""

    def __init__(self, head: bytes, read: Callable[[int], bytes]) -> None:
        self._head = head
        self._read = read

    def read(self, size: int) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._read(size)

    def seek(self, offset: int) -> int:
        raise io.UnsupportedOperation(f"seek to {offset}")


class _Filled:
    """Unpacked reads of full length, so that blocks end where they ended last time, whatever gzip hands out.

    A failure is kept until what came before it was given.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._failure: Exception | None = None

    def __call__(self, size: int) -> bytes:
        if self._failure is not None:
            raise self._failure
        pieces: list[bytes] = []
        missing = size
        try:
            while missing and (piece := self._read(missing)):
                pieces.append(piece)
                missing -= len(piece)
        except (EOFError, OSError, zlib.error) as error:
            if not pieces:
                raise
            self._failure = error
        return b"".join(pieces)
