"""The records of a replay: which dead letter each of them was. Those of a later stage begin there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from haulier.io.ledger.onward import write_onward
from haulier.io.ledger.rows import OnwardRow, ReplayRow, RunRow

__all__ = ["write_replay"]

_INSERT = "insert into replay(run, position, parent, parent_position, text) values(?, ?, ?, ?, ?)"


def write_replay(
    db: sqlite3.Connection, run: RunRow, stages: Sequence[RunRow], records: Iterable[ReplayRow]
) -> None:
    """Write what a replay is to carry, in order; inside a transaction of the caller's. stages: its later ones."""
    by_name = {stage.stage: stage for stage in stages}
    positions = dict.fromkeys([run.id, *(stage.id for stage in stages)], 0)
    included = 0
    for row in records:
        if row.included:
            included += 1  # counted down from -1: noted as taken, and never read as a record
            db.execute(_INSERT, (run.id, -included, row.parent, row.parent_position, None))
            continue
        stage = by_name.get(row.stage)
        to = stage.id if stage is not None else run.id
        db.execute(
            _INSERT,
            (to, positions[to], row.parent, row.parent_position, row.text if stage is None else None),
        )
        if stage is not None:
            write_onward(db, [_onward(stage, row)])
        positions[to] += 1


def _onward(stage: RunRow, row: ReplayRow) -> OnwardRow:
    return OnwardRow(
        run=stage.id,
        parent=row.parent,
        parent_position=row.parent_position,
        place=0,
        root=row.root,
        places=row.places,
        failed=None,
        fault=None,
        text=row.text,
    )
