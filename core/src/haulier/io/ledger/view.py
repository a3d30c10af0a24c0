"""Reading a ledger, beside whoever writes it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any

from haulier.errors import LedgerError
from haulier.io.ledger.compacting import merged_requests
from haulier.io.ledger.ids import NUMBER, row_id, row_ids
from haulier.io.ledger.onward import Onward, read_onward
from haulier.io.ledger.opening import bring_to_version, ledger_path, open_to_read
from haulier.io.ledger.rows import Job, RunRow, Unsettled, unpack_positions
from haulier.io.ledger.trouble import reads_in_words
from haulier.model.block import Chunk
from haulier.model.delivery import State

__all__ = ["LedgerView"]

_RUN_COLUMNS = ", ".join(RunRow.__struct_fields__)
_PATIENCE_S = 2.0
_UNSETTLED = "state in (0, 1)"  # as the index says it: by other words SQLite does not find that it will do
_REQUEST = (
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
    "parent",
)
_RECORDS = (
    "select position, state, number, reason, text, (select run_id from replay join run on run.id = replay.run"
    " where replay.parent = record.run and replay.parent_position = record.position order by replay.run desc limit 1)"
    ", (select parent from request where id = record.run << 40 | record.number) from record"
)
_REASONS = (
    "select state, case when number is null and (reason glob 'line [0-9]*: *' or reason glob 'record [0-9]*: *')"
    " then substr(reason, instr(reason, ': ') + 2) else reason end as said, count(*) as records"
    " from record where run = ? group by state, said order by records desc, min(position)"
)
_RECORD = ("position", "state", "number", "reason", "text", "replayed", "part_of")


@reads_in_words
class LedgerView:
    """Reading a ledger; never holds up the writer. All methods raise LedgerError where it is damaged."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self.path = path

    @classmethod
    def open(cls, state_dir: Path) -> LedgerView:
        """Open for reading only; a ledger of an older version is brought to this one first.

        Raises LedgerError where there is none yet, or where it is not ours, newer, or cannot be read.
        """
        path = ledger_path(state_dir)
        if not path.exists():
            raise LedgerError(
                f"nothing was sent to this destination yet (there is no {path.name} in its state folder)"
            )
        until = time.monotonic() + _PATIENCE_S
        while True:
            db = open_to_read(path)
            if db is not None:
                return cls(db, path)
            try:
                bring_to_version(state_dir)
            except LedgerError:
                # Who holds it may be bringing it to this version at this moment.
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read inside is of one instant, whatever is written meanwhile."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("begin")
        try:
            yield
        finally:
            with suppress(
                sqlite3.Error
            ):  # of a damaged file that cannot be told either; what was read was told
                self._db.execute("rollback")

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        return self._runs("where chain = 0 order by id desc")

    def run(self, run_id: str) -> RunRow | None:
        """The run of this id, or of an unambiguous beginning of it."""
        rows = self._runs("where substr(run_id, 1, ?) = ? and chain = 0 limit 2", len(run_id), run_id)
        return rows[0] if len(rows) == 1 else None

    def latest(self, run_key: str) -> RunRow | None:
        """The newest run of a run key."""
        rows = self._runs("where run_key = ? and chain = 0 order by id desc limit 1", run_key)
        return rows[0] if rows else None

    def replays(self) -> list[RunRow]:
        """Runs that carry dead letters of others, newest first."""
        return self._runs("where parent != '' and chain = 0 order by id desc")

    def stages(self, run: RunRow) -> list[RunRow]:
        """The runs of the later stages of a chain, in their order; none of a run that is no chain."""
        return self._runs("where chain = ? order by id", run.id)

    def onward(self, run: RunRow, start: int, *, stop: int | None = None, most: int) -> list[Onward]:
        """Records of a later stage from a position on, at most `most`, none from position `stop` on."""
        return read_onward(self._db, run.id, start, stop=stop, most=most)

    def went_on(self, run: RunRow, position: int) -> bool:
        """Whether a record of a stage went on to a later one after it was rejected."""
        return bool(
            self._db.execute(
                "select 1 from onward where parent = ? and parent_position = ? and failed is not null limit 1",
                (run.id, position),
            ).fetchone()
        )

    def sending(self, run: RunRow) -> int:
        """Records whose request may have been sent and has no outcome yet."""
        return self._one(
            f"select coalesce(sum(count), 0) from request where {_UNSETTLED} and state = ? and id between ? and ?",  # noqa: S608
            (State.SENDING, *_ids(run)),
        )

    def under_way(self, run: RunRow) -> int:
        """Requests that may have been sent and have no outcome yet."""
        return self._one(
            f"select count(*) from request where {_UNSETTLED} and state = ? and id between ? and ?",  # noqa: S608
            (State.SENDING, *_ids(run)),
        )

    def unsettled(self, run: RunRow) -> list[Unsettled]:
        """Intents without outcome, in the order of their numbers."""
        rows = self._db.execute(
            "select id, first, count, positions, sha256, key, state, attempts, status, stored from request"  # noqa: S608
            f" where {_UNSETTLED} and id between ? and ? order by id",
            _ids(run),
        )
        return [
            Unsettled(
                number=id & NUMBER,
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
            (run.low_water, *_ids(run)),
        )
        yield from (unpack_positions(*row) for row in rows)
        rows = self._db.execute(
            "select first, count, positions from request where positions is not null and id between ? and ?",
            _ids(run),
        )
        yield from (unpack_positions(*row) for row in rows)
        yield [
            row[0]
            for row in self._db.execute(
                "select position from record where run = ? and position >= ?", (run.id, run.low_water)
            )
        ]

    def chunks(self, run: RunRow) -> dict[str, Chunk]:
        """Chunk id -> what was pushed under it."""
        rows = self._db.execute("select id, first, count, sha256 from chunk where run = ?", (run.id,))
        return {id: Chunk(*row) for id, *row in rows}

    def next_number(self, run: RunRow) -> int:
        """The number after the highest one used."""
        return 1 + self._one(
            "select coalesce(max(id) & ?, -1) from request where id between ? and ?",
            (NUMBER, *_ids(run)),
        )

    def requests(self, run: RunRow) -> Iterator[dict[str, Any]]:
        """Every request of a run with its state, in order; those that were merged too."""
        rows = self._db.execute(
            "select id & ?, first, count, sha256, key, state, nullif(status, 0), attempts, reason, ticket, parent"
            " from request where id between ? and ? order by id",
            (NUMBER, *_ids(run)),
        )
        own = (dict(zip(_REQUEST, row, strict=True)) for row in rows)
        return merge(own, merged_requests(self._db, run), key=itemgetter("number"))

    def tickets(self, run: RunRow) -> list[str]:
        """Tickets of requests that the service accepted and works on, in order."""
        rows = self._db.execute(
            "select ticket from request where state = ? and ticket is not null and id between ? and ? order by id",
            (State.ACCEPTED, *_ids(run)),
        )
        return [row[0] for row in rows]

    def jobs(self, run: RunRow, *, lost: bool = False, numbers: Sequence[int] | None = None) -> list[Job]:
        """Requests that were accepted with a ticket and have no result yet, in order; lost: those in doubt, too.

        numbers: of these requests only.
        """
        wanted = [row_id(run.id, number) for number in numbers or ()]
        only = "" if numbers is None else f" and request.id in ({', '.join('?' * len(wanted))})"
        rows = self._db.execute(
            "select request.id & ?, first, count, positions, ticket, request.status, attempts, coalesce(asking, 0),"  # noqa: S608
            " coalesce(told, 1), texts, state from request left join job on job.id = request.id"
            f" where state in (?, ?) and ticket is not null and request.id between ? and ?{only} order by request.id",
            (NUMBER, State.ACCEPTED, State.IN_DOUBT if lost else State.ACCEPTED, *_ids(run), *wanted),
        )
        return [
            Job(
                number=number,
                positions=unpack_positions(first, count, positions),
                ticket=ticket,
                status=status,
                attempts=attempts,
                asking=bool(asking),
                told=bool(told),
                lost=state == State.IN_DOUBT,
                texts=texts.split(b"\n") if texts else (),
            )
            for number, first, count, positions, ticket, status, attempts, asking, told, texts, state in rows
        ]

    def lost(self, run: RunRow) -> int:
        """How many records are in doubt as the answer was lost that may have held the result behind their ticket."""
        row = self._db.execute(
            # Of a job whose answer did come, the row has the status of that answer: there is nothing to ask for.
            "select coalesce(sum(count), 0) from request where state = ? and ticket is not null and status < 300"
            " and id between ? and ?",
            (State.IN_DOUBT, *_ids(run)),
        ).fetchone()
        return int(row[0])

    def cost(self, run: RunRow) -> tuple[int, int]:
        """(requests that went out, those of them that went out more than once)."""
        row = self._db.execute(
            "select coalesce(sum(attempts > 0), 0), coalesce(sum(attempts > 1), 0) from request"
            " where id between ? and ?",
            _ids(run),
        ).fetchone()
        merged = self._one(
            "select coalesce(sum(requests), 0) from merged where id between ? and ?", _ids(run)
        )
        return row[0] + merged, row[1]

    def slowest(self, run: RunRow) -> list[tuple[int, float]]:
        """(number, seconds of its slowest attempt) of the slowest requests, slowest first."""
        return self._db.execute(
            "select number, seconds from slow where run = ? order by seconds desc, number", (run.id,)
        ).fetchall()

    def hashes(self, run: RunRow, numbers: Sequence[int]) -> dict[int, bytes]:
        """Number -> SHA-256 of the body of these requests, those that were merged too."""
        first = row_id(run.id, 0)
        marks = ",".join("?" * len(numbers))
        rows = self._db.execute(
            f"select id & ?, sha256 from request where id in ({marks})",  # noqa: S608 - question marks
            (NUMBER, *(first | number for number in numbers)),
        )
        found: dict[int, bytes] = dict(rows.fetchall())
        for number in numbers:
            row = (
                number not in found
                and self._db.execute(
                    "select ? - id, requests, sha256 from merged where id between ? and ? order by id desc limit 1",
                    (first | number, first, first | number),
                ).fetchone()
            )
            if row and row[0] < row[1]:
                found[number] = row[2][row[0] * 32 : row[0] * 32 + 32]
        return found

    def reasons(self, run: RunRow) -> list[tuple[int, str, int]]:
        """(state, reason, records) of what was rejected or is in doubt, the most frequent first.

        Reasons that differ by the place they begin with are one: those of records that never became a request.
        """
        return self._db.execute(_REASONS, (run.id,)).fetchall()

    def records(self, run: RunRow) -> Iterator[dict[str, Any]]:
        """Rejected and in-doubt records of a run, by position.

        replayed: id of the newest run that took it, or None; part_of: number of the request that its own is part of.
        """
        for row in self._db.execute(f"{_RECORDS} where run = ? order by position", (run.id,)):
            yield dict(zip(_RECORD, row, strict=True))

    def record(self, run: RunRow, position: int) -> dict[str, Any] | None:
        """One of them; None where there is none at that position."""
        row = self._db.execute(f"{_RECORDS} where run = ? and position = ?", (run.id, position)).fetchone()
        return dict(zip(_RECORD, row, strict=True)) if row else None

    def replay_texts(self, run: RunRow, start: int, most: int) -> list[bytes]:
        """Texts of the records of a replay from a position on, in order."""
        rows = self._db.execute(
            "select text from replay where run = ? and position >= ? order by position limit ?",
            (run.id, start, most),
        )
        return [row[0] for row in rows]

    def begun_again(self, run: RunRow) -> int:
        """Records of a replay that begin at its first stage though a later one had rejected them."""
        return self._one(
            "select count(*) from replay join run on run.id = replay.parent"
            " where replay.run = ? and position >= 0 and run.chain != 0",
            (run.id,),
        )

    def origin(self, run: RunRow, position: int) -> tuple[str, int] | None:
        """(run id, position) of the dead letter that a record of a replay was; None for other runs, or once pruned."""
        found = self._db.execute(
            "select run_id, parent_position from replay join run on run.id = replay.parent"
            " where replay.run = ? and position = ?",
            (run.id, position),
        ).fetchone()
        return (found[0], found[1]) if found else None

    def owed(self, run: RunRow, *, output: int, after: int, most: int) -> list[tuple[int, bytes]]:
        """(seq, line) that one output has not made durable, oldest first, with a seq above `after`; `most` of them."""
        return self._db.execute(
            "select seq & ?, line from owed where seq between ? and ? and output = ? order by seq limit ?",
            (NUMBER, row_id(run.id, after + 1), _ids(run)[1], output, most),
        ).fetchall()

    def owing(self, run: RunRow) -> dict[int, tuple[int, int]]:
        """Output -> how many lines it has not made durable, and the highest seq of them."""
        rows = self._db.execute(
            "select output, count(*), max(seq) & ? from owed where seq between ? and ? group by output",
            (NUMBER, *_ids(run)),
        )
        return {output: (count, newest) for output, count, newest in rows}

    def _runs(self, rest: str, *values: Any) -> list[RunRow]:
        rows = self._db.execute(f"select {_RUN_COLUMNS} from run {rest}", values)  # noqa: S608 - words of our own
        return [RunRow(**dict(zip(RunRow.__struct_fields__, row, strict=True))) for row in rows]

    def _one(self, statement: str, values: Sequence[Any]) -> int:
        return int(self._db.execute(statement, values).fetchone()[0])


def _ids(run: RunRow) -> tuple[int, int]:
    return row_ids(run.id)
