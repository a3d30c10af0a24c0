"""Files that a stage of a run fetches: kept with the intent of their request until its outcome is durable.

A picture behind a URL may be another one tomorrow. So what was fetched stays as it is until its request has settled: a
resume sends the same bytes, and fetches nothing twice that is in a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from itertools import chain
from pathlib import Path

from haulier.io.fetched import Fetched, Wanted
from haulier.io.fetching import Fetcher
from haulier.io.ledger.ids import NUMBER
from haulier.io.ledger.rows import Commit
from haulier.io.ledger.view import LedgerView
from haulier.io.project import private_folder
from haulier.model.delivery import State
from haulier.model.fetch import Fetch
from haulier.model.request import FilePart, Request
from haulier.runs.inputs.stored import store

__all__ = ["FetchedFiles", "forget_fetched", "prune_fetched"]

_FOLDER = "fetched"


class FetchedFiles:
    """Those of one stage. run_id: of the stage's run, which names their folder."""

    def __init__(self, rules: Fetch, state_dir: Path, run_id: str) -> None:
        self._fetcher = Fetcher(rules, private_folder(state_dir / _FOLDER) / run_id)
        self._paths: dict[int, list[str]] = {}

    def begin(self, wanted: Sequence[Wanted]) -> Future[list[Fetched]]:
        """What will have come of each, in order."""
        return self._fetcher.begin(wanted)

    def stored(self, request: Request) -> bytes:
        """What the ledger keeps of a request: all of it, its files by their place."""
        parts = () if isinstance(request.body, bytes) else request.body
        folder = str(self._fetcher.folder)
        kept = [part.path for part in parts if isinstance(part, FilePart) and part.path.startswith(folder)]
        self._paths[request.number] = kept
        return store(request)

    def durable(self, commit: Commit) -> None:
        """Let go of the files of the requests that this commit has settled."""
        settled = (id for state, *_, id in commit.outcomes if state != State.PENDING)
        for id in chain(settled, *commit.delivered_at_once.values()):
            for path in self._paths.pop(id & NUMBER, ()):
                Path(path).unlink(missing_ok=True)

    def close(self) -> None:
        """Fetch nothing more."""
        self._fetcher.close()


def forget_fetched(state_dir: Path, run_id: str) -> None:
    """Remove what is left of a finished run, all its stages: files of records that became no request."""
    for folder in (state_dir / _FOLDER).glob(f"{run_id}*"):
        _remove(folder)


def prune_fetched(state_dir: Path, view: LedgerView) -> None:
    """Remove files of runs that are finished or gone."""
    needed = {run.run_id for run in view.runs() if run.state != "finished"}
    for folder in (state_dir / _FOLDER).glob("*"):
        if folder.is_dir() and folder.name.partition(".")[0] not in needed:
            _remove(folder)


def _remove(folder: Path) -> None:
    from shutil import rmtree  # noqa: PLC0415 - archives come along, in every run that fetches nothing

    rmtree(folder, ignore_errors=True)
