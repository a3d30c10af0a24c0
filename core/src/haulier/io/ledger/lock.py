"""One process at a time writes a ledger; the lock is the operating system's and names its holder."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import BinaryIO

from haulier.errors import LedgerError

__all__ = ["Lock"]


class Lock:
    """Held from construction to `close`; gone by itself when the process dies."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("a+b", buffering=0)
        try:
            _take(self._file)
        except OSError:
            self._file.seek(0)
            holder = self._file.read(200).decode("utf-8", "replace").strip() or "another process"
            self._file.close()
            raise LedgerError(
                f"a run of this destination is under way ({holder}); wait for it or stop it. "
                f"(The lock is {path}; it goes by itself when that process ends.)"
            ) from None
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())

    def close(self) -> None:
        """Let go."""
        self._file.close()


if sys.platform == "win32":  # pragma: no cover - not tested on Windows, as the docs say
    import msvcrt

    def _take(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
