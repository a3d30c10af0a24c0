"""The ledger's writer thread: many windows become durable in one transaction, and nobody waits per request."""

from __future__ import annotations

import threading
from collections.abc import Callable

from haulier.errors import LedgerError
from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import Commit

__all__ = ["Writer"]


class Writer(threading.Thread):
    """Writes the commits it is given, in order.

    done: called in this thread after each transaction with the number of commits made durable since the start, or
    with the error that ended the writing (then nothing more is written). before: called in this thread before each, to
    make durable what the commits rely on; it may raise LedgerError.
    """

    def __init__(
        self,
        ledger: Store,
        run: int,
        done: Callable[[int, LedgerError | None], None],
        *,
        before: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(name="haulier-ledger", daemon=True)
        self._ledger = ledger
        self._run_id = run
        self._done = done
        self._before = before
        self._wake = threading.Condition()
        self._queue: list[tuple[int, Commit]] = []
        self._closing = False
        self._written = 0
        self.transactions = 0

    def put(self, commit: Commit, run: int | None = None) -> None:
        """Queue a commit; returns at once. run: of a later stage of a chain, the id of its run."""
        with self._wake:
            self._queue.append((self._run_id if run is None else run, commit))
            self._wake.notify()

    def close(self) -> None:
        """Write what is queued, then end."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self.join()

    def run(self) -> None:
        """Take all that is queued, write it in one transaction, tell; again until closed."""
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                commits, self._queue = self._queue, []
            if not commits:
                return
            try:
                if self._before is not None:
                    self._before()
                by_run: dict[int, list[Commit]] = {}
                for run, commit in commits:
                    by_run.setdefault(run, []).append(commit)
                self._ledger.commit_all(by_run)
            except LedgerError as error:
                self._done(self._written, error)
                return
            self.transactions += 1
            self._written += len(commits)
            self._done(self._written, None)
