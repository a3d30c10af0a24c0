"""Compaction: what was delivered at once in a finished run takes 32 bytes a request from then on, and says the same.

Requests next to each other in number and position, of one size and status, become one row with the SHA-256 of each
body. What is not kept follows from what is: positions from first and size, idempotency keys from run id, positions and
SHA-256. Requests that needed more than one attempt, are part of another, have a ticket, a reason or scattered positions
keep their rows, as does every rejected and in-doubt record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from haulier.io.ledger.ids import NUMBER, row_ids
from haulier.io.ledger.rows import RunRow
from haulier.model.delivery import State
from haulier.pipeline.planner import idempotency_key

__all__ = ["compact_run", "merged_requests", "transaction"]

_MOST = 1024  # requests a row: 32 KiB of hashes
_AT_ONCE = 50_000  # numbers a transaction
_MERGEABLE = (
    f"state = {State.DELIVERED:d} and attempts = 1 and count > 0 and positions is null and reason is null"
    " and ticket is null and parent is null and status is not null and length(sha256) = 32"
)
# id, first, count, status, key, sha256
_Row = tuple[int, int, int, int, str, bytes]


def compact_run(db: sqlite3.Connection, run: RunRow) -> None:
    """Merge what can be merged of a finished run; each transaction leaves the ledger whole, a crash between two too."""
    begin, end = row_ids(run.id)
    last = db.execute("select max(id) from request where id between ? and ?", (begin, end)).fetchone()[0]
    for start in range(begin, (last or begin) + 1, _AT_ONCE):
        stop = min(start + _AT_ONCE - 1, end)
        rows = db.execute(
            "select id, first, count, status, key, sha256 from request"  # noqa: S608 - words of our own
            f" where id between ? and ? and {_MERGEABLE} order by id",
            (start, stop),
        )
        found = [_merged(run, stretch) for stretch in _stretches(rows) if _keys_follow(run, stretch)]
        with transaction(db):
            for row in found:
                db.execute("delete from request where id between ? and ?", (row[0], row[0] + row[1] - 1))
            db.executemany(
                "insert into merged(id, requests, first, size, status, keyed, sha256) values(?, ?, ?, ?, ?, ?, ?)",
                found,
            )
    with transaction(db):
        db.execute(
            "update request set stored = null where stored is not null and id between ? and ?", (begin, end)
        )
        db.execute("update replay set text = null where run = ?", (run.id,))
        db.execute("update run set compacted = 1 where id = ?", (run.id,))


def merged_requests(db: sqlite3.Connection, run: RunRow) -> Iterator[dict[str, Any]]:
    """The requests that were merged, one by one again, in order."""
    rows = db.execute(
        "select id, requests, first, size, status, keyed, sha256 from merged where id between ? and ? order by id",
        row_ids(run.id),
    )
    for id, requests, first, size, status, keyed, hashes in rows:
        for at in range(requests):
            positions = range(first + at * size, first + (at + 1) * size)
            sha256 = hashes[at * 32 : at * 32 + 32]
            yield {
                "number": (id & NUMBER) + at,
                "first": positions.start,
                "count": size,
                "sha256": sha256,
                "key": idempotency_key(run.run_id, positions, sha256) if keyed else "",
                "state": int(State.DELIVERED),
                "status": status,
                "attempts": 1,
                "reason": None,
                "ticket": None,
                "parent": None,
            }


def _stretches(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    """Rows that follow each other in number and position and are alike in all that is kept once; two at least."""
    stretch: list[_Row] = []
    for row in rows:
        if stretch and not (len(stretch) < _MOST and _follows(stretch[-1], row)):
            if len(stretch) > 1:
                yield stretch
            stretch = []
        stretch.append(row)
    if len(stretch) > 1:
        yield stretch


def _follows(before: _Row, row: _Row) -> bool:
    id, first, count, status, key, _ = before
    return row[:4] == (id + 1, first + count, count, status) and bool(row[4]) == bool(key)


def _keys_follow(run: RunRow, stretch: Sequence[_Row]) -> bool:
    """Whether keys come out as they are kept; those of another version of the rule would not."""
    return all(
        not key or key == idempotency_key(run.run_id, range(first, first + count), sha256)
        for _, first, count, _, key, sha256 in (stretch[0], stretch[-1])
    )


def _merged(run: RunRow, stretch: Sequence[_Row]) -> tuple[int, int, int, int, int, int, bytes]:
    id, first, count, status, key, _ = stretch[0]
    return id, len(stretch), first, count, status, int(bool(key)), b"".join(row[5] for row in stretch)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing of it."""
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    finally:
        if db.in_transaction:
            db.execute("rollback")
