"""What SQLite says when it cannot go on, in words that name the way out."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from haulier.errors import LedgerError

__all__ = ["cannot_open", "cannot_read", "cannot_write"]

_WAYS = {
    "SQLITE_FULL": "the disk is full: make room, then run again",
    "SQLITE_IOERR": "make room or mend the disk, then run again",
    "SQLITE_READONLY": "it may not be written: mend its permissions, or choose another folder with --state",
    "SQLITE_CANTOPEN": "its folder may not be used: mend its permissions, or choose another folder with --state",
    "SQLITE_CORRUPT": "it is damaged: put a copy of it in its place, or choose another folder with --state",
    "SQLITE_NOTADB": "it is no database: choose another folder with --state",
    "SQLITE_BUSY": "another program holds it: wait for that one, then run again",
}
_ELSE = "make room or mend the disk, then run again"


def cannot_write(path: Path, error: sqlite3.Error) -> LedgerError:
    """Writing failed: nothing of the transaction stands, all before it does."""
    return LedgerError(f"cannot write the ledger {path}: {error}; {_way(error)}")


def cannot_open(path: Path, error: Exception) -> LedgerError:
    """The file cannot be opened for writing."""
    way = _way(error) if isinstance(error, sqlite3.Error) else "choose another folder with --state"
    return LedgerError(f"cannot open the ledger {path}: {error}; {way}")


def cannot_read(path: Path | str, error: sqlite3.Error) -> LedgerError:
    """Reading failed; the file is as it was."""
    return LedgerError(f"cannot read the ledger {path}: {error}; {_way(error)}")


def _way(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")  # not set where Python itself complains
    return next((way for start, way in _WAYS.items() if name.startswith(start)), _ELSE)
