"""The spool: what a run has read of standard input, kept on disk until the run is finished.

Standard input can be read once. So its bytes are written beside the ledger as they come, and are durable before the
ledger says that their records were read. A resume has them from there; what is piped in again is compared with them.
"""

from __future__ import annotations

import io
import os
import stat
import threading
from pathlib import Path
from typing import BinaryIO

from haulier.errors import InputError, LedgerError
from haulier.io.project import sync_folder
from haulier.io.readers.doors import SourceDoors
from haulier.io.readers.source import STDIN

__all__ = ["ENDED", "FOLDER", "Spool", "SpoolDoors"]

FOLDER = "spool"  # below the state folder; a spool is named for its run
ENDED = ".end"  # beside a spool that holds all of standard input
_CHUNK_BYTES = 64 * 1024


class Spool:
    """The spool of one run. Bytes are added by the thread that reads, and made durable by the one that commits.

    size: bytes there are. ended: whether they are all that standard input had. broken_off: whether a resume had to do
    without the rest.
    """

    def __init__(self, state_dir: Path, run_id: str) -> None:
        self.run_id = run_id
        self._path = state_dir / FOLDER / run_id
        self._mark = self._path.with_suffix(ENDED)
        self._lock = threading.Lock()
        self._dirty = self._new_name = True
        self.broken_off = False
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._file = io.FileIO(os.open(self._path, flags, 0o600), "r+")
            self.size = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._trouble(error) from None
        self.ended = self._mark.exists()

    def read(self, start: int, most: int) -> bytes:
        """Bytes that are there; fewer at the end."""
        with self._lock:
            if self._file.closed:
                return b""
            self._file.seek(start)
            return self._file.read(max(most, 0)) or b""

    def add(self, data: bytes | memoryview) -> None:
        """Keep these bytes behind those there are; LedgerError where the disk does not take them."""
        with self._lock:
            if self._file.closed:
                return  # the run has ended meanwhile
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                raise self._trouble(error) from None
            self.size += len(data)
            self._dirty = True

    def end(self) -> None:
        """Standard input came to its end: what is here is all of it."""
        with self._lock:
            if not self.ended and not self._file.closed:
                try:
                    self._mark.touch(mode=0o600)
                except OSError as error:
                    raise self._trouble(error) from None
                self.ended = self._new_name = True

    def whole_lines(self) -> int:
        """Bytes up to the end of the last whole line; all of them where standard input came to its end."""
        stop = self.size
        self.broken_off = not self.ended
        while not self.ended and stop:
            start = max(0, stop - _CHUNK_BYTES)
            found = self.read(start, stop - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            stop = start
        return stop

    def sync(self) -> None:
        """Return when the disk has what was added before the call. Called before each commit to the ledger."""
        with self._lock:
            dirty, new_name = self._dirty, self._new_name
            self._dirty = self._new_name = False
        try:
            if dirty:
                os.fsync(self._file.fileno())
            if new_name:
                sync_folder(self._path.parent)
        except OSError as error:
            raise self._trouble(error) from None

    def close(self, *, finished: bool) -> None:
        """Let go of it; of a finished run nothing stays."""
        with self._lock:
            self._file.close()
            if finished:
                self._path.unlink(missing_ok=True)
                self._mark.unlink(missing_ok=True)

    def _trouble(self, error: OSError) -> LedgerError:
        return LedgerError(
            f"cannot keep standard input in {self._path}: {error.strerror}; make room or mend the disk, then go on "
            f"with --resume {self.run_id[:12]}"
        )


class SpoolDoors(SourceDoors):
    """Doors to standard input through a spool, once a run has one; without it (in previews) to standard input alone.

    alone: read the spool of an earlier sitting only, and nothing that is piped in.
    """

    def __init__(self, *, alone: bool = False) -> None:
        super().__init__(STDIN)
        self.alone = alone
        self.spool: Spool | None = None

    def open_read(self, path: str) -> BinaryIO:
        """Standard input; ConfigurationError for anything else."""
        if self.spool is None:
            return super().open_read(path)
        given = None if self.alone else super().open_read(path)
        return io.BufferedReader(_Spooled(self.spool, given))


class _Spooled(io.RawIOBase):
    """Standard input from its beginning: compared with the spool as far as that goes, then added to it.

    given None, or a terminal or /dev/null that gives nothing: the spool alone. Its last line counts only if it is known
    to be whole. An empty pipe is refused: whoever fills it may have failed.
    """

    def __init__(self, spool: Spool, given: BinaryIO | None) -> None:
        self._spool = spool
        self._given = given
        self._at = 0
        self._before = spool.size
        self._alone = given is None
        self._stop = spool.whole_lines() if given is None else 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._alone or self._given is None:
            data = self._spool.read(self._at, min(len(buffer), self._stop - self._at))
        else:
            read = getattr(self._given, "read1", self._given.read)
            data = read(len(buffer))
            if not data and not self._at and self._before and _is_device(self._given):
                self._alone, self._stop = True, self._spool.whole_lines()
                return self.readinto(buffer)
            self._keep(data)
        self._at += len(data)
        buffer[: len(data)] = data
        return len(data)

    def _keep(self, data: bytes) -> None:
        known = max(0, min(len(data), self._before - self._at))
        if data[:known] != self._spool.read(self._at, known):
            raise InputError(
                f"standard input: is not what run {self._spool.run_id} was reading; they part between byte "
                f"{self._at:,} and {self._at + known:,}. Give the same input from its beginning, or none: {self._way}"
            )
        if data:
            if known < len(data):
                self._spool.add(memoryview(data)[known:])
        elif self._at < self._before:
            has = f"has only {self._at:,} bytes" if self._at else "is empty"
            raise InputError(
                f"standard input: {has}, and run {self._spool.run_id} has read {self._before:,}. "
                f"Give the same input from its beginning, or none: {self._way}"
            )
        else:
            self._spool.end()

    @property
    def _way(self) -> str:
        return f"--resume {self._spool.run_id[:12]} goes on with what was read"


def _is_device(given: BinaryIO) -> bool:
    """Whether this is a terminal or /dev/null: then nothing was piped in at all."""
    try:
        return stat.S_ISCHR(os.fstat(given.fileno()).st_mode)
    except (OSError, ValueError):  # it has no descriptor
        return False
