"""What SQLite says when it cannot go on, in words that name the way out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from inspect import isfunction, isgeneratorfunction
from pathlib import Path
from typing import Any, TypeVar

from haulier.errors import LedgerError

__all__ = ["DAMAGED", "cannot_open", "cannot_read", "cannot_write", "reads_in_words"]

T = TypeVar("T")

# What a damaged file raises: where SQLite quotes it, that may be no UTF-8.
DAMAGED = (sqlite3.Error, UnicodeDecodeError)

_DAMAGED_WAY = "it is damaged: put a copy of it in its place, or choose another folder with --state"
_WAYS = {
    "SQLITE_FULL": "the disk is full: make room, then run again",
    "SQLITE_IOERR": "make room or mend the disk, then run again",
    "SQLITE_READONLY": "it may not be written: mend its permissions, or choose another folder with --state",
    "SQLITE_CANTOPEN": "its folder may not be used: mend its permissions, or choose another folder with --state",
    "SQLITE_CORRUPT": _DAMAGED_WAY,
    "SQLITE_NOTADB": "it is no database: choose another folder with --state",
    "SQLITE_BUSY": "another program holds it: wait for that one, then run again",
}
_ELSE = "make room or mend the disk, then run again"


def cannot_write(path: Path, error: Exception) -> LedgerError:
    """Writing failed: nothing of the transaction stands, all before it does."""
    return LedgerError(f"cannot write the ledger {path}: {error}; {_way(error)}")


def cannot_open(path: Path, error: Exception) -> LedgerError:
    """The file cannot be opened for writing."""
    way = _way(error) if isinstance(error, DAMAGED) else "choose another folder with --state"
    return LedgerError(f"cannot open the ledger {path}: {error}; {way}")


def cannot_read(path: Path, error: Exception) -> LedgerError:
    """Reading failed; the file is as it was."""
    return LedgerError(f"cannot read the ledger {path}: {error}; {_way(error)}")


def reads_in_words(view: type[T]) -> type[T]:
    """A class whose public methods read the ledger at its `path`: what SQLite complains of becomes a LedgerError.

    Where a method is a generator, so does what comes up while it goes on.
    """
    for name, method in list(vars(view).items()):
        if isfunction(method) and not name.startswith("_"):
            setattr(view, name, _in_words(method))
    return view


def _in_words(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def iterated(self: Any, *values: Any, **named: Any) -> Any:
        try:
            yield from method(self, *values, **named)
        except DAMAGED as error:
            raise cannot_read(self.path, error) from None

    @wraps(method)
    def called(self: Any, *values: Any, **named: Any) -> Any:
        try:
            return method(self, *values, **named)
        except DAMAGED as error:
            raise cannot_read(self.path, error) from None

    return iterated if isgeneratorfunction(method) else called


def _way(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return _DAMAGED_WAY
    name = getattr(error, "sqlite_errorname", "")  # not set where Python itself complains
    return next((way for start, way in _WAYS.items() if name.startswith(start)), _ELSE)
