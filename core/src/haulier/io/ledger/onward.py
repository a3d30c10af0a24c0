"""Records on their way through a chain: what the answer of one stage made for the next, kept until that has settled it.

They are written in the transaction of the outcome they come from, so no crash comes between the two. A stage reads
them from here in the order of their positions, in the first sitting as in any later one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import msgspec

from haulier.io.ledger.ids import NUMBER, row_id, row_ids
from haulier.io.ledger.rows import OnwardRow

__all__ = ["Onward", "keep_onward", "read_onward", "write_onward"]

_COLUMNS = "id, parent, parent_position, place, root, places, failed, fault, text"
_MARKS = "?, ?, ?, ?, ?, ?, ?, ?, ?"
_AT_ONCE = 96


class Onward(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a later stage. root: position of the record of the first stage that it began as.

    places: `3` or `3.0`, which of the records it was where an answer made several. failed: JSON, where and why it was
    rejected before. fault: why it cannot be sent.
    """

    position: int
    root: int
    places: str
    failed: str | None
    fault: str | None
    text: bytes


def write_onward(db: sqlite3.Connection, rows: Sequence[OnwardRow]) -> None:
    """Give records to their stages, in this order, at the positions that follow; inside a transaction of the caller's.

    What the same record made before is left as it is: an answer that is taken twice adds nothing.
    """
    for run, group in groupby(rows, key=lambda row: row.run):
        first = _next_position(db, run)
        found = list(group)
        for start in range(0, len(found), _AT_ONCE):
            first = _insert(db, run, first, found[start : start + _AT_ONCE])
        db.execute("update run set read = max(read, ?) where id = ?", (first, run))


def read_onward(
    db: sqlite3.Connection, run: int, start: int, *, stop: int | None = None, most: int
) -> list[Onward]:
    """Records of a stage from a position on, at most `most`, none from position `stop` on."""
    rows = db.execute(
        "select id & ?, root, places, failed, fault, text from onward where id between ? and ? order by id limit ?",
        (NUMBER, row_id(run, start), row_ids(run)[1] if stop is None else row_id(run, stop - 1), most),
    )
    return [
        Onward(position=position, root=root, places=places, failed=failed, fault=fault, text=text or b"{}")
        for position, root, places, failed, fault, text in rows
    ]


def keep_onward(db: sqlite3.Connection, run: int) -> None:
    """Of a finished stage, keep where dead letters and what was cleaned up come from, without their texts."""
    ids = row_ids(run)
    db.execute(
        "delete from onward where id between ? and ? and failed is null"
        " and not exists (select 1 from record where run = ? and position = onward.id & ?)",
        (*ids, run, NUMBER),
    )
    db.execute("update onward set text = null where id between ? and ?", ids)


def _insert(db: sqlite3.Connection, run: int, first: int, rows: Sequence[OnwardRow]) -> int:
    """Write rows from position `first` on; the position that follows."""
    values = [_values(row_id(run, first + at), row) for at, row in enumerate(rows)]
    marks = ", ".join([f"({_MARKS})"] * len(rows))
    try:
        db.execute(
            f"insert into onward({_COLUMNS}) values {marks}",  # noqa: S608 - words of our own
            [value for row in values for value in row],
        )
        return first + len(rows)
    except sqlite3.IntegrityError:
        pass  # some of them are there: one by one, so that no position is left out
    for row in rows:
        done = db.execute(
            f"insert or ignore into onward({_COLUMNS}) values({_MARKS})",
            _values(row_id(run, first), row),
        )
        first += done.rowcount
    return first


def _values(id: int, row: OnwardRow) -> tuple[Any, ...]:
    return (
        id,
        row.parent,
        row.parent_position,
        row.place,
        row.root,
        row.places,
        row.failed,
        row.fault,
        row.text,
    )


def _next_position(db: sqlite3.Connection, run: int) -> int:
    (last,) = db.execute("select max(id) from onward where id between ? and ?", row_ids(run)).fetchone()
    (read,) = db.execute("select read from run where id = ?", (run,)).fetchone()
    return max(0 if last is None else (int(last) & NUMBER) + 1, int(read))
