"""Opening the file of a ledger, to read or to write, and bringing one of an older version to this one."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import ExitStack
from pathlib import Path

from haulier.errors import LedgerError
from haulier.io.ledger.lock import Lock
from haulier.io.ledger.place import check_place
from haulier.io.ledger.schema import VERSION, check, prepare
from haulier.io.ledger.trouble import DAMAGED, cannot_open, cannot_read

__all__ = ["bring_to_version", "ledger_path", "open_to_read", "open_to_write"]


def ledger_path(state_dir: Path) -> Path:
    """Where the ledger of a destination stands below its state folder."""
    return state_dir / "ledger.db"


def open_to_write(state_dir: Path) -> tuple[sqlite3.Connection, Lock]:
    """A connection that writes, and the lock that goes with it; folder and file are made, or brought to this version.

    Raises LedgerError where another process holds it, it is not ours or newer, or the place will not do.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_place(state_dir)
        lock = Lock(state_dir / "ledger.lock")
    except OSError as error:
        raise LedgerError(
            f"cannot write in {state_dir}: {error.strerror}; choose another folder with --state"
        ) from None
    path = ledger_path(state_dir)
    with ExitStack() as opened:
        opened.callback(lock.close)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
            opened.callback(db.close)
            check(db, str(path))
            db.execute("pragma journal_mode=wal")
            db.execute("pragma synchronous=full")
            if sys.platform == "darwin":
                db.execute("pragma fullfsync=on")
            prepare(db)
        except (OSError, *DAMAGED) as error:
            raise cannot_open(path, error) from None
        opened.pop_all()
    return db, lock


def bring_to_version(state_dir: Path) -> None:
    """A ledger of an older version becomes one of this version; raises LedgerError as `open_to_write` does."""
    db, lock = open_to_write(state_dir)
    db.close()
    lock.close()


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """A connection that reads; None where the file is of an older version."""
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise cannot_read(path, error) from None
    try:
        if check(db, str(path)) == VERSION:
            return db
    except DAMAGED as error:
        db.close()
        raise cannot_read(path, error) from None
    except LedgerError:
        db.close()
        raise
    db.close()
    return None
