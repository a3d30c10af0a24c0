"""The ledger on SQLite: plain statements over one connection. Only one thread at a time may use a `Ledger`."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from haulier.errors import LedgerError
from haulier.io.ledger.compacting import compact_run, transaction
from haulier.io.ledger.ids import row_ids
from haulier.io.ledger.lock import Lock
from haulier.io.ledger.onward import keep_onward
from haulier.io.ledger.opening import ledger_path, open_to_write
from haulier.io.ledger.place import FileInPlace
from haulier.io.ledger.plain import prepare_plain, write_plainly
from haulier.io.ledger.pruning import Pruned, prune_runs, remove_run
from haulier.io.ledger.replaying import write_replay
from haulier.io.ledger.rows import Commit, ReplayRow, RunRow
from haulier.io.ledger.trouble import DAMAGED, cannot_write
from haulier.io.ledger.view import LedgerView
from haulier.io.ledger.writing import write_commits
from haulier.model.delivery import State

__all__ = ["Ledger", "LedgerView"]


class Ledger(LedgerView):
    """Reading and writing; holds the destination's lock from opening to closing."""

    def __init__(self, db: sqlite3.Connection, lock: Lock, path: Path) -> None:
        super().__init__(db, path)
        self._lock = lock
        self._process = os.getpid()
        self._file = FileInPlace(path)
        self._since: dict[int, float] = {}
        prepare_plain(db)

    @classmethod
    def create(cls, state_dir: Path) -> Ledger:
        """Open the ledger of a destination for writing, making folder and file, or bringing it to this version.

        Raises LedgerError where another process holds it, it is not ours or newer, or the place will not do.
        """
        db, lock = open_to_write(state_dir)
        return cls(db, lock, ledger_path(state_dir))

    def close(self) -> None:
        """Close file and lock."""
        super().close()
        self._lock.close()

    def start(self, run: RunRow, stages: Sequence[RunRow] = ()) -> RunRow:
        """Write a new run; its id comes back in the row. stages: the runs of the later stages of a chain, in order."""
        with self._writing(), transaction(self._db):
            return self._insert_runs(run, stages)

    def start_replay(
        self, run: RunRow, records: Iterable[ReplayRow], stages: Sequence[RunRow] = ()
    ) -> RunRow:
        """Write a new run with the records it is to carry, in order, and their runs as its parents; all or none."""
        with self._writing(), transaction(self._db):
            started = self._insert_runs(run, stages)
            write_replay(self._db, started, self.stages(started), records)
            (parent,) = self._db.execute(
                "select group_concat(run_id) from (select run_id from run where id in (select"
                " case when parents.chain = 0 then parents.id else parents.chain end from replay"
                " join run as parents on parents.id = replay.parent"
                " where replay.run in (select id from run where id = ? or chain = ?)) order by id)",
                (started.id, started.id),
            ).fetchone()
            self._db.execute("update run set parent = ? where id = ?", (parent, started.id))
        return msgspec.structs.replace(started, parent=parent)

    def drop_replay(self, run: RunRow) -> None:
        """Take back a replay of which nothing may have arrived: its records are to be replayed as before."""
        with self._writing(), transaction(self._db):
            remove_run(self._db, run.id)

    def reopen(self, run: RunRow) -> None:
        """A stopped run goes on, with the settings of this row.

        What a crash left under way is counted, as its attempts never will be.
        """
        rows = [run, *self.stages(run)]
        with self._writing(), transaction(self._db):
            self._db.executemany(
                "update run set state = 'open', reason = '', ended = null, settings = ?,"
                " cut_off = cut_off + ? where id = ?",
                [(run.settings, self.under_way(row), row.id) for row in rows],
            )
        self._since = dict.fromkeys((row.id for row in rows), time.monotonic())

    def plan_anew(self, run: RunRow) -> None:
        """Forget the requests of a run that are pending: their records are to be made into others."""
        with self._writing(), transaction(self._db):
            self._db.execute(
                "delete from request where id between ? and ? and state = ?",
                (*row_ids(run.id), State.PENDING),
            )

    def end(self, run: RunRow, *, state: str, reason: str, ended: float) -> None:
        """A run finished, or stopped for now; all stages of a chain together.

        It took as long at least as it was under way, also where the clock was set back meanwhile.
        """
        with self._writing(), transaction(self._db):
            self._db.execute(
                "update run set state = ?, reason = ?, ended = max(?, started + active_s),"
                " low_water = case when ? = 'finished' then read else low_water end where id = ? or chain = ?",
                (state, reason, ended, state, run.id, run.id),
            )
            if state == "finished":
                for stage in self.stages(run):
                    keep_onward(self._db, stage.id)

    def commit(self, run: int, commits: Sequence[Commit]) -> None:
        """Make windows durable, all in one transaction; when this returns their requests may leave."""
        self.commit_all({run: commits})

    def commit_all(self, commits: Mapping[int, Sequence[Commit]]) -> None:
        """Make windows of several stages durable, by the id of the run, all in one transaction."""
        if os.getpid() != self._process:
            raise LedgerError("this run belongs to the process that opened it; open another one after a fork")
        now = time.monotonic()
        active_s = {run: now - self._since.get(run, now) for run in commits}
        with self._writing():
            if not self._written_plainly(commits, active_s):
                with transaction(self._db):
                    for run, of_run in commits.items():
                        write_commits(self._db, run, of_run, active_s[run])
        self._since.update(dict.fromkeys(commits, now))

    def _written_plainly(
        self, commits: Mapping[int, Sequence[Commit]], active_s: Mapping[int, float]
    ) -> bool:
        return len(commits) == 1 and all(
            write_plainly(self._db, run, of_run, active_s[run]) for run, of_run in commits.items()
        )

    def compact(self) -> None:
        """Merge the delivered requests of finished runs that were not compacted yet."""
        for run in self.runs():
            if run.state == "finished" and not run.compacted:
                with self._writing():
                    for stage in self.stages(run):
                        compact_run(self._db, stage)
                    compact_run(self._db, run)

    def prune(self, keep: int, *, dead_letters: bool = False, unfinished: bool = False) -> Pruned:
        """Compact, then remove finished runs but the newest `keep`; see `prune_runs`."""
        self.compact()
        with self._writing():
            return prune_runs(self._db, keep, dead_letters=dead_letters, unfinished=unfinished)

    def _insert_runs(self, run: RunRow, stages: Sequence[RunRow]) -> RunRow:
        started = self._insert_run(run)
        for stage in stages:
            self._insert_run(msgspec.structs.replace(stage, chain=started.id))
        return started

    def _insert_run(self, run: RunRow) -> RunRow:
        fields = [name for name in RunRow.__struct_fields__ if name != "id"]
        values = [getattr(run, name) for name in fields]
        marks = ", ".join("?" * len(fields))
        cursor = self._db.execute(
            f"insert into run({', '.join(fields)}) values({marks})",
            values,
        )
        started = msgspec.structs.replace(run, id=int(cursor.lastrowid or 0))
        self._since[started.id] = time.monotonic()
        return started

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._file.check()
        try:
            yield
        except DAMAGED as error:
            raise cannot_write(self.path, error) from None
