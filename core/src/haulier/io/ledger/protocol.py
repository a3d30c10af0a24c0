"""What a run needs of the store that keeps its intents and outcomes, so that another database can follow SQLite.

A store holds what `haulier.io.ledger.rows` describes, for one destination. What every store must satisfy is written as
tests: `tests/core/io/test_ledger_model.py` compares one with a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from haulier.io.ledger.onward import Onward
from haulier.io.ledger.rows import Commit, Job, RunRow, Unsettled
from haulier.model.block import Chunk

__all__ = ["Store", "StoreView"]


class StoreView(Protocol):
    """Reading, beside whoever writes and without holding them up. Used from one thread at a time."""

    def close(self) -> None:
        """Let go of it."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """All that is read inside is of one instant, whatever is written meanwhile."""
        ...

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        ...

    def run(self, run_id: str) -> RunRow | None:
        """The run of this id, or of an unambiguous beginning of it."""
        ...

    def latest(self, run_key: str) -> RunRow | None:
        """The newest run of a run key."""
        ...

    def stages(self, run: RunRow) -> list[RunRow]:
        """The runs of the later stages of a chain, in their order; none of a run that is no chain."""
        ...

    def onward(self, run: RunRow, start: int, *, stop: int | None, most: int) -> list[Onward]:
        """Records of a later stage from a position on, at most `most`, none from position `stop` on."""
        ...

    def sending(self, run: RunRow) -> int:
        """Records whose request may have been sent and has no outcome yet."""
        ...

    def unsettled(self, run: RunRow) -> list[Unsettled]:
        """Intents without outcome, in the order of their numbers."""
        ...

    def known_above(self, run: RunRow) -> Iterator[Sequence[int]]:
        """Positions from the low-water mark on that have a row of any state; others below it may be among them."""
        ...

    def next_number(self, run: RunRow) -> int:
        """The number after the highest one used by a request."""
        ...

    def chunks(self, run: RunRow) -> dict[str, Chunk]:
        """Chunk id -> (first position, records) of what was pushed."""
        ...

    def owed(self, run: RunRow, *, output: int, after: int, most: int) -> list[tuple[int, bytes]]:
        """(seq, line) that one output has not made durable, oldest first, with a seq above `after`; `most` of them."""
        ...

    def owing(self, run: RunRow) -> dict[int, tuple[int, int]]:
        """Output -> how many lines it has not made durable, and the highest seq of them."""
        ...

    def jobs(self, run: RunRow, *, lost: bool = False) -> list[Job]:
        """Requests that were accepted with a ticket and have no result yet, in order; lost: those in doubt, too."""
        ...

    def lost(self, run: RunRow) -> int:
        """How many records are in doubt as the answer was lost that may have held the result behind their ticket."""
        ...

    def requests(self, run: RunRow) -> Iterator[dict[str, Any]]:
        """Every request of a run with its state, in order."""
        ...

    def records(self, run: RunRow) -> Iterator[dict[str, Any]]:
        """Rejected and in-doubt records of a run, by position."""
        ...


class Store(StoreView, Protocol):
    """Writing. One process at a time has one open; what a method wrote is durable when it returns.

    All raise LedgerError where nothing more can be written; what was written before stands then.
    """

    def start(self, run: RunRow, stages: Sequence[RunRow] = ()) -> RunRow:
        """Write a new run; its id comes back in the row. stages: the runs of the later stages of a chain, in order."""
        ...

    def reopen(self, run: RunRow) -> None:
        """A stopped run goes on, with the settings of this row.

        What a crash left under way is counted, as its attempts never will be.
        """
        ...

    def plan_anew(self, run: RunRow) -> None:
        """Forget the requests of a run that are pending: their records are to be made into others."""
        ...

    def end(self, run: RunRow, *, state: str, reason: str, ended: float) -> None:
        """A run finished, or stopped for now. `ended` in Unix seconds."""
        ...

    def commit(self, run: int, commits: Sequence[Commit]) -> None:
        """`commit_all` of one run."""
        ...

    def commit_all(self, commits: Mapping[int, Sequence[Commit]]) -> None:
        """Make windows durable, by run, in order, all or none; when this returns their requests may leave.

        Called from the writer thread while the others read; a request's intent comes before its outcome.
        """
        ...

    def compact(self) -> None:
        """Keep less of finished runs without saying less: called before a run begins."""
        ...
