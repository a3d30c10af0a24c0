"""Writing commits: few statements of many rows each.

Every row that is stepped through gives the interpreter's lock away once, and against a busy event loop takes it back
milliseconds later. Measured with windows of 256 beside a busy thread: 17 k requests/s so, 3 k with a call per row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, repeat
from typing import Any, TypeAlias

from haulier.io.ledger.ids import row_id
from haulier.io.ledger.onward import write_onward
from haulier.io.ledger.plain import write_run
from haulier.io.ledger.rows import Commit, OutcomeRow
from haulier.model.delivery import State

__all__ = ["write_commits"]

# Few sizes, so that statements stay prepared. An old SQLite takes 999 values in a statement, a newer one 32,766:
# https://www.sqlite.org/limits.html
_SIZES = (256, 128, 64, 32, 16, 8, 4, 2, 1) if sqlite3.sqlite_version_info >= (3, 32) else (96, 12, 1)
_MOST_SLOW = 10
# state, status, attempts, reason, ticket
_Said: TypeAlias = "tuple[State | int, int | None, int, str | None, str | None]"


def write_commits(db: sqlite3.Connection, run: int, commits: Sequence[Commit], active_s: float) -> None:
    """Write commits in their order, inside a transaction of the caller's. active_s: since the last transaction."""
    for commit in commits:
        _write_requests(db, commit)
        _write_beside(db, run, commit)
    write_run(db, run, commits, active_s)


def _write_requests(db: sqlite3.Connection, commit: Commit) -> None:
    _settle(db, commit.before)
    # A request tried again after all others has its row already: it is on its way once more.
    _insert(
        db,
        "insert into request(id, first, count, positions, sha256, key, state, stored, parent) values",
        commit.intents,
        " on conflict(id) do update set state = excluded.state",
    )
    _settle(db, commit.outcomes)
    delivered = commit.delivered_at_once
    _settle_groups(db, {(State.DELIVERED, *said, None, None): ids for said, ids in delivered.items()})
    if commit.split:
        db.executemany(
            "update request set state = 4, count = 0, positions = null, status = ?, attempts = attempts + ?,"
            " reason = ? where id = ?",
            commit.split,
        )


def _write_beside(db: sqlite3.Connection, run: int, commit: Commit) -> None:
    _insert(
        db,
        "insert or replace into record(run, position, state, number, reason, text) values",
        [(run, *row) for row in commit.records],
    )
    _insert(
        db,
        "insert or ignore into chunk(run, id, first, count, sha256) values",
        [(run, *row) for row in commit.chunks],
    )
    _insert(
        db,
        "insert into owed(seq, run, output, line) values",
        [
            (row_id(commit.outbox or run, seq), commit.outbox or run, output, line)
            for seq, output, line in commit.owed
        ],
    )
    if commit.onward:
        write_onward(db, commit.onward)
    for part in _filled([row_id(run, seq) for seq in commit.paid]):
        db.execute(f"delete from owed where seq in ({_marks(len(part))})", part)  # noqa: S608 - question marks
    if commit.slow:
        _write_slow(db, run, commit.slow)
    if commit.found:
        db.executemany(
            "delete from record where run = ? and position = ?",
            [(run, position) for position in commit.found],
        )
    if commit.jobs or commit.asking or commit.answers or commit.told:
        _write_jobs(db, commit)


def _settle(db: sqlite3.Connection, outcomes: Iterable[OutcomeRow]) -> None:
    """Outcomes that say the same go into one statement; a request with two of them gets them in their order."""
    groups: dict[_Said, list[int]] = {}
    seen: set[int] = set()
    for state, status, attempts, reason, ticket, id in outcomes:
        if id in seen:
            _settle_groups(db, groups)
            groups, seen = {}, set()
        seen.add(id)
        groups.setdefault((state, status, attempts, reason, ticket), []).append(id)
    _settle_groups(db, groups)


def _settle_groups(db: sqlite3.Connection, groups: Mapping[_Said, Sequence[int]]) -> None:
    for outcome, ids in groups.items():
        for part in _filled(ids):
            db.execute(
                "update request set state = ?, status = ?, attempts = attempts + ?, reason = ?, ticket = ?"  # noqa: S608
                f" where id in ({_marks(len(part))})",
                (*outcome, *part),
            )


def _write_slow(db: sqlite3.Connection, run: int, slow: Sequence[tuple[int, float]]) -> None:
    db.executemany(
        "insert into slow(run, number, seconds) values(?, ?, ?)"
        " on conflict(run, number) do update set seconds = max(seconds, excluded.seconds)",
        [(run, number, seconds) for number, seconds in slow],
    )
    db.execute(
        "delete from slow where run = ? and number not in"
        " (select number from slow where run = ? order by seconds desc limit ?)",
        (run, run, _MOST_SLOW),
    )


def _write_jobs(db: sqlite3.Connection, commit: Commit) -> None:
    db.executemany("insert or replace into job(id, texts, told) values(?, ?, ?)", commit.jobs)
    db.executemany(
        "insert into job(id, asking, asked) values(?, 1, 1)"
        " on conflict(id) do update set asking = 1, asked = asked + 1",
        [(id,) for id in commit.asking],
    )
    db.executemany("update job set asking = 0, status = ?, answer = ? where id = ?", commit.answers)
    db.executemany("update job set told = 1 where id = ?", [(id,) for id in commit.told])


def _insert(db: sqlite3.Connection, head: str, rows: Sequence[Sequence[Any]], tail: str = "") -> None:
    for part in _parts(rows):
        db.execute(_insertion(head, len(part[0]), len(part), tail), tuple(chain.from_iterable(part)))


@cache
def _insertion(head: str, columns: int, rows: int, tail: str) -> str:
    row = f"({_marks(columns)})"
    return f"{head} {', '.join([row] * rows)}{tail}"


def _parts(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The rows in order, in slices of a few fixed lengths."""
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


def _filled(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    """Ids in slices of a few fixed lengths; the last is filled up with an id again, which a set does not mind."""
    most = _SIZES[0]
    for at in range(0, len(ids), most):
        part = ids[at : at + most]
        size = next(size for size in reversed(_SIZES) if size >= len(part))
        yield [*part, *repeat(part[-1], size - len(part))]


@cache
def _marks(count: int) -> str:
    return ", ".join("?" * count)
