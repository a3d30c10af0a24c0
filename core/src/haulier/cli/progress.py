"""Progress of a run on standard error: one refreshed line on a terminal, plain lines elsewhere.

Counts are read from the ledger twice a second, so the run itself pays nothing for being watched.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from haulier.cli.printing import say

__all__ = ["Progress", "watched"]

_EVERY_S = 0.5


class Progress:
    """Watches the run whose ledger is in a state folder, from `started` on."""

    def __init__(self, folder: Path, destination: str) -> None:
        self._folder = folder
        self._destination = destination
        self._run_id = ""
        self._began = time.monotonic()
        self._settled_before = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="haulier-progress", daemon=True)

    @property
    def run_id(self) -> str:
        """The run that began; empty while nothing has."""
        return self._run_id

    def started(self, run_id: str, run_key: str) -> None:
        """The run begins, or goes on: called once, in the run's thread."""
        from haulier.runs.reports.history import run_under_way

        self._run_id, self._began = run_id, time.monotonic()
        before = run_under_way(self._folder, run_id)
        said = f"run {run_id} of {self._destination} (run key {run_key})"
        if before is not None and before.read:
            self._settled_before = _settled(before)
        if before is not None and before.parent and not (self._settled_before or before.attempts):
            parents = ", ".join(one[:12] for one in before.parent.split(","))
            said += f" replays dead letters of {parents}"
        elif before is not None and before.read:
            said += f" goes on: {before.read:,} records read, {self._settled_before:,} settled before"
        say(said)
        if sys.stderr.isatty():
            self._thread.start()

    def end(self) -> None:
        """Stop watching and clear the line."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _watch(self) -> None:
        from haulier.runs.reports.history import run_under_way

        while not self._over.wait(_EVERY_S):
            now = run_under_way(self._folder, self._run_id)
            if now is not None:
                spent = max(time.monotonic() - self._began, 0.001)
                rate = (_settled(now) - self._settled_before) / spent
                line = f"{now.read:,} read, {now.delivered:,} delivered, {now.rejected:,} rejected, {rate:,.0f}/s"
                print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _settled(report: object) -> int:
    return sum(getattr(report, name) for name in ("delivered", "accepted", "rejected", "in_doubt"))


@contextmanager
def watched(progress: Progress) -> Iterator[Progress]:
    """Progress for as long as the run takes."""
    try:
        yield progress
    finally:
        progress.end()
