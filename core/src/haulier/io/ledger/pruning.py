"""Pruning: old finished runs go, with all that belongs to them. What is not finished or not settled stays."""

from __future__ import annotations

import sqlite3

import msgspec

from haulier.io.ledger.compacting import transaction
from haulier.io.ledger.ids import row_ids

__all__ = ["Pruned", "prune_runs", "remove_run"]

_BY_NUMBER = ("request", "merged", "onward", "job")
_LETTERS = (
    "select count(*) from record where run in (select id from run where id = ? or chain = ?) and not exists"
    " (select 1 from replay where parent = record.run and parent_position = record.position)"
)
_OWING = "select state = 'finished' and exists (select 1 from owed where seq between ? and ?) from run where id = ?"
# The runs that an unfinished replay reads from, stages of chains by the chain they are in.
_READ_FROM = (
    "select case when parents.chain = 0 then parents.id else parents.chain end from replay"
    " join run on run.id = replay.run join run as parents on parents.id = replay.parent where run.state != 'finished'"
)

_OLD = (
    "select id, run_id from run where chain = 0 and (state = 'finished' or ? or exists (select 1 from run as later"  # noqa: S608
    " where later.run_key = run.run_key and later.id > run.id)) and id not in"
    f" (select id from run where chain = 0 order by id desc limit ?) and id not in ({_READ_FROM}) order by id"
)


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What a pruning took away: ids of runs. kept: old runs that stay, for dead letters nobody replayed.

    owing: finished ones that stay, for lines that their outputs have not been handed.
    """

    removed: tuple[str, ...]
    kept: tuple[str, ...]
    owing: tuple[str, ...]


def prune_runs(db: sqlite3.Connection, keep: int, *, dead_letters: bool, unfinished: bool = False) -> Pruned:
    """Remove finished runs but the newest `keep` runs of any state; then give the room back to the disk.

    An unfinished run goes too where a later one took its place, as nothing goes on with it any more, or where
    `unfinished` says so. A finished one whose outputs lack lines stays as well, unless `unfinished`.

    Runs with dead letters that were not replayed stay, unless `dead_letters`; so do those an unfinished replay reads.
    """
    old = db.execute(_OLD, (unfinished, keep)).fetchall()
    removed: list[str] = []
    kept: list[str] = []
    owing: list[str] = []
    for id, run_id in old:
        if not unfinished and db.execute(_OWING, (*row_ids(id), id)).fetchone()[0]:
            owing.append(run_id)
        elif not dead_letters and db.execute(_LETTERS, (id, id)).fetchone()[0]:
            kept.append(run_id)
        else:
            with transaction(db):
                remove_run(db, id)
            removed.append(run_id)
    if removed:
        _shrink(db)
    return Pruned(removed=tuple(removed), kept=tuple(kept), owing=tuple(owing))


def remove_run(db: sqlite3.Connection, id: int) -> None:
    """Remove a run and all that belongs to it, later stages too; inside a transaction of the caller's."""
    for (stage,) in db.execute("select id from run where chain = ?", (id,)).fetchall():
        remove_run(db, stage)
    for table in _BY_NUMBER:
        db.execute(
            f"delete from {table} where id between ? and ?",  # noqa: S608 - names of our own
            row_ids(id),
        )
    db.execute("delete from owed where seq between ? and ?", row_ids(id))
    for table in ("record", "chunk", "slow", "replay"):
        db.execute(f"delete from {table} where run = ?", (id,))  # noqa: S608 - names of our own
    db.execute("delete from replay where parent = ?", (id,))
    db.execute("delete from run where id = ?", (id,))


def _shrink(db: sqlite3.Connection) -> None:
    pages, free = (db.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
    if free * 4 < pages:
        return
    try:
        db.execute("vacuum")
    except sqlite3.OperationalError:
        return  # no room for the copy it makes: the free pages are used again by the next runs
