"""The spools that lie beside a ledger: which of them a resume reads, whose one becomes, and which may go."""

from __future__ import annotations

import shlex
from pathlib import Path

from haulier.errors import ConfigurationError
from haulier.io.ledger.view import LedgerView
from haulier.runs.inputs.spooling import ENDED, FOLDER

__all__ = ["hand_over", "prune_spools", "spooled_run_key"]


def spooled_run_key(state_dir: Path, word: str) -> str:
    """The run key of an unfinished run whose standard input is kept; word: its id or the beginning of it.

    ConfigurationError where there is none, with what to do instead.
    """
    view = LedgerView.open(state_dir)
    try:
        run = view.run(word)
    finally:
        view.close()
    if run is None:
        raise ConfigurationError(f"no run of this destination begins with {word!r}; see: haulier runs")
    if run.state == "finished":
        raise ConfigurationError(f"run {run.run_id} is finished; there is nothing to go on with")
    if run.parent:
        raise ConfigurationError(
            f"run {run.run_id} is a replay; go on with it by: haulier dead-letters replay {run.run_id[:12]}"
        )
    if not (state_dir / FOLDER / run.run_id).exists():
        raise ConfigurationError(
            f"run {run.run_id} was reading {run.source}, of which no copy is kept; give the same records again: "
            f"--records ... --run-key {shlex.quote(run.run_key)} (run_key= in Python)"
        )
    return run.run_key


def hand_over(state_dir: Path, before: str, after: str) -> None:
    """The spool of one run, if there is one, is from now on that of another."""
    for ending in ("", ENDED):
        path = state_dir / FOLDER / f"{before}{ending}"
        if path.exists():
            path.replace(path.with_name(f"{after}{ending}"))


def prune_spools(state_dir: Path, view: LedgerView) -> int:
    """Remove spools whose run is finished or gone; how many there were."""
    needed = {run.run_id for run in view.runs() if run.state != "finished"}
    folder = state_dir / FOLDER
    left = [path for path in folder.iterdir() if path.stem not in needed] if folder.is_dir() else []
    for path in left:
        path.unlink()
    return len(left)
