"""The ledger on SQLite: plain statements over one connection. Only one thread at a time may use a `Ledger`."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from haulier.errors import LedgerError
from haulier.io.ledger.lock import Lock
from haulier.io.ledger.rows import Commit, RunRow, Unsettled, unpack_positions
from haulier.io.ledger.schema import check, prepare
from haulier.model.delivery import State

__all__ = ["Ledger", "LedgerView", "ledger_path"]

_RUN_COLUMNS = ", ".join(RunRow.__struct_fields__)
_NUMBER = (1 << 40) - 1


def ledger_path(state_dir: Path) -> Path:
    """Where the ledger of a destination stands below its state folder."""
    return state_dir / "ledger.db"


class LedgerView:
    """Reading a ledger; never holds up the writer."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def open(cls, state_dir: Path) -> LedgerView:
        """Open for reading only; LedgerError where there is none yet."""
        path = ledger_path(state_dir)
        if not path.exists():
            raise LedgerError(
                f"nothing was sent to this destination yet (there is no {path.name} in its state folder)"
            )
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10, check_same_thread=False
        )
        return cls(db)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        rows = self._db.execute(f"select {_RUN_COLUMNS} from run order by id desc")  # noqa: S608 - names of our own
        return [RunRow(**dict(zip(RunRow.__struct_fields__, row, strict=True))) for row in rows]

    def run(self, run_id: str) -> RunRow | None:
        """The run of this id, or of an unambiguous beginning of it."""
        rows = [row for row in self.runs() if row.run_id.startswith(run_id)]
        return rows[0] if len(rows) == 1 else None

    def latest(self, run_key: str) -> RunRow | None:
        """The newest run of a run key."""
        return next((row for row in self.runs() if row.run_key == run_key), None)

    def sending(self, run: RunRow) -> int:
        """Records whose request may have been sent and has no outcome yet."""
        return self._one(
            "select coalesce(sum(count), 0) from request where state = ? and id between ? and ?",
            (State.SENDING, run.id << 40, run.id << 40 | _NUMBER),
        )

    def unsettled(self, run: RunRow) -> list[Unsettled]:
        """Intents without outcome, in the order of their numbers."""
        rows = self._db.execute(
            "select id, first, count, positions, sha256, key, state, attempts, status, stored from request"
            " where state in (0, 1) and id between ? and ? order by id",
            (run.id << 40, run.id << 40 | _NUMBER),
        )
        return [
            Unsettled(
                number=id & _NUMBER,
                positions=unpack_positions(first, count, positions),
                sha256=sha256,
                key=key,
                state=State(state),
                attempts=attempts,
                status=status,
                stored=stored,
            )
            for id, first, count, positions, sha256, key, state, attempts, status, stored in rows
        ]

    def known_above(self, run: RunRow) -> Iterator[Sequence[int]]:
        """Positions from the low-water mark on that have a row of any state."""
        rows = self._db.execute(
            "select first, count, positions from request where first + count > ? and positions is null"
            " and id between ? and ?",
            (run.low_water, run.id << 40, run.id << 40 | _NUMBER),
        )
        yield from (unpack_positions(*row) for row in rows)
        rows = self._db.execute(
            "select first, count, positions from request where positions is not null and id between ? and ?",
            (run.id << 40, run.id << 40 | _NUMBER),
        )
        yield from (unpack_positions(*row) for row in rows)
        yield [
            row[0]
            for row in self._db.execute(
                "select position from record where run = ? and position >= ?", (run.id, run.low_water)
            )
        ]

    def chunks(self, run: RunRow) -> dict[str, tuple[int, int]]:
        """Chunk id -> (first position, records) of what was pushed."""
        rows = self._db.execute("select id, first, count from chunk where run = ?", (run.id,))
        return {id: (first, count) for id, first, count in rows}

    def next_number(self, run: RunRow) -> int:
        """The number after the highest one used."""
        return 1 + self._one(
            "select coalesce(max(id) & ?, -1) from request where id between ? and ?",
            (_NUMBER, run.id << 40, run.id << 40 | _NUMBER),
        )

    def requests(self, run: RunRow) -> Iterator[dict[str, Any]]:
        """Every request of a run with its state, in order."""
        names = (
            "number",
            "first",
            "count",
            "sha256",
            "key",
            "state",
            "status",
            "attempts",
            "reason",
            "ticket",
        )
        rows = self._db.execute(
            "select id & ?, first, count, sha256, key, state, status, attempts, reason, ticket from request"
            " where id between ? and ? order by id",
            (_NUMBER, run.id << 40, run.id << 40 | _NUMBER),
        )
        for row in rows:
            yield dict(zip(names, row, strict=True))

    def records(self, run: RunRow) -> Iterator[dict[str, Any]]:
        """Rejected and in-doubt records of a run, by position."""
        names = ("position", "state", "number", "reason", "text")
        for row in self._db.execute(
            "select position, state, number, reason, text from record where run = ? order by position",
            (run.id,),
        ):
            yield dict(zip(names, row, strict=True))

    def owed(self, run: RunRow) -> list[tuple[int, int, bytes]]:
        """(seq, output, line) that outputs still owe, oldest first."""
        return self._db.execute(
            "select seq & ?, output, line from owed where run = ? order by seq", (_NUMBER, run.id)
        ).fetchall()

    def _one(self, statement: str, values: Sequence[Any]) -> int:
        return int(self._db.execute(statement, values).fetchone()[0])


class Ledger(LedgerView):
    """Reading and writing; holds the destination's lock from opening to closing."""

    def __init__(self, db: sqlite3.Connection, lock: Lock, path: Path) -> None:
        super().__init__(db)
        self._lock = lock
        self.path = path
        self._process = os.getpid()

    @classmethod
    def create(cls, state_dir: Path) -> Ledger:
        """Open the ledger of a destination for writing, making folder and file where needed."""
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = Lock(state_dir / "ledger.lock")
        except OSError as error:
            raise LedgerError(
                f"cannot write in {state_dir}: {error.strerror}; choose another folder with --state"
            ) from None
        path = ledger_path(state_dir)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
            check(db, str(path))
            db.execute("pragma journal_mode=wal")
            db.execute("pragma synchronous=full")
            if sys.platform == "darwin":
                db.execute("pragma fullfsync=on")
            prepare(db)
        except (OSError, sqlite3.Error) as error:
            lock.close()
            raise LedgerError(f"cannot open the ledger {path}: {error}") from None
        except LedgerError:
            lock.close()
            raise
        return cls(db, lock, path)

    def close(self) -> None:
        """Close file and lock."""
        super().close()
        self._lock.close()

    def start(self, run: RunRow) -> RunRow:
        """Write a new run; its id comes back in the row."""
        fields = [name for name in RunRow.__struct_fields__ if name != "id"]
        values = [getattr(run, name) for name in fields]
        marks = ", ".join("?" * len(fields))
        cursor = self._write(f"insert into run({', '.join(fields)}) values({marks})", values)
        return RunRow(**{**{name: getattr(run, name) for name in fields}, "id": int(cursor.lastrowid or 0)})

    def reopen(self, run: RunRow) -> None:
        """A stopped run goes on."""
        self._write("update run set state = 'open', reason = '', ended = null where id = ?", (run.id,))

    def end(self, run: RunRow, *, state: str, reason: str, ended: float) -> None:
        """A run finished, or stopped for now."""
        self._write(
            "update run set state = ?, reason = ?, ended = ? where id = ?", (state, reason, ended, run.id)
        )

    def commit(self, run: int, commits: Sequence[Commit]) -> None:
        """Make windows durable, all in one transaction; when this returns their requests may leave."""
        if os.getpid() != self._process:
            raise LedgerError("this run belongs to the process that opened it; open another one after a fork")
        db = self._db
        try:
            db.execute("begin immediate")
            for commit in commits:
                _write_commit(db, run, commit)
            db.execute("commit")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("rollback")
            raise LedgerError(
                f"cannot write the ledger {self.path}: {error}; make room or mend the disk, then run again"
            ) from None

    def _write(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise LedgerError(f"cannot write the ledger {self.path}: {error}") from None


def _write_commit(db: sqlite3.Connection, run: int, commit: Commit) -> None:
    if commit.intents:
        # A request tried again after all others has its row already: it is on its way once more.
        db.executemany(
            "insert into request(id, first, count, positions, sha256, key, state, stored)"
            " values(?, ?, ?, ?, ?, ?, ?, ?) on conflict(id) do update set state = excluded.state",
            commit.intents,
        )
    if commit.outcomes:
        db.executemany(
            "update request set state = ?, status = ?, attempts = attempts + ?, reason = ?, ticket = ? where id = ?",
            commit.outcomes,
        )
    if commit.records:
        db.executemany(
            "insert or replace into record(run, position, state, number, reason, text) values(?, ?, ?, ?, ?, ?)",
            [(run, *row) for row in commit.records],
        )
    if commit.chunks:
        db.executemany(
            "insert or ignore into chunk(run, id, first, count) values(?, ?, ?, ?)",
            [(run, *row) for row in commit.chunks],
        )
    if commit.owed:
        db.executemany(
            "insert into owed(seq, run, output, line) values(?, ?, ?, ?)",
            [(run << 40 | seq, run, output, line) for seq, output, line in commit.owed],
        )
    if commit.paid:
        db.executemany("delete from owed where seq = ?", [(run << 40 | seq,) for seq in commit.paid])
    db.execute(
        "update run set read = max(read, ?), digest = coalesce(?, digest), low_water = max(low_water, ?),"
        " delivered = delivered + ?, accepted = accepted + ?, rejected = rejected + ?, in_doubt = in_doubt + ?,"
        " attempts = attempts + ? where id = ?",
        (
            commit.read,
            commit.digest,
            commit.low_water,
            commit.delivered,
            commit.accepted,
            commit.rejected,
            commit.in_doubt,
            commit.attempts,
            run,
        ),
    )
