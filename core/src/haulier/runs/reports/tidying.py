"""Tidying up: old finished runs go from the ledgers of a project, and what they left beside them."""

from __future__ import annotations

from contextlib import closing

import msgspec

from haulier.errors import LedgerError
from haulier.io.ledger.store import Ledger
from haulier.runs.inputs.fetching import prune_fetched
from haulier.runs.inputs.spools import prune_spools
from haulier.runs.reports.finding import ledgers_of

__all__ = ["Tidied", "prune_runs"]


class Tidied(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken away of one destination. removed: ids of runs; kept: old ones with dead letters nobody replayed.

    owing: old ones that stay as their outputs lack lines. spools: copies of standard input that were left over. busy:
    why nothing was done, or empty.
    """

    destination: str
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    owing: tuple[str, ...] = ()
    spools: int = 0
    busy: str = ""


def prune_runs(
    *,
    keep: int,
    destination: str | None = None,
    dead_letters: bool = False,
    unfinished: bool = False,
    state: str | None = None,
) -> tuple[Tidied, ...]:
    """Remove finished runs but the newest `keep` of each destination; finished ones that stay are compacted.

    A run that is forgotten is no longer recognised: its input given again is sent again. Those with dead letters that
    were not replayed stay, unless `dead_letters`. unfinished: those too that stopped or crashed, which cannot go on
    then, and finished ones whose outputs lack lines; without it, of these only a stopped one whose place a later run
    took. A destination with a run under way, or whose ledger is damaged, is left alone and says so.
    """
    tidied = []
    for name, folder in ledgers_of(destination, state):
        try:
            with closing(Ledger.create(folder)) as ledger:
                pruned = ledger.prune(keep, dead_letters=dead_letters, unfinished=unfinished)
                spools = prune_spools(folder, ledger)
                prune_fetched(folder, ledger)
        except LedgerError as error:
            tidied.append(Tidied(destination=name, busy=str(error)))
            continue
        tidied.append(
            Tidied(
                destination=name, removed=pruned.removed, kept=pruned.kept, owing=pruned.owing, spools=spools
            )
        )
    return tuple(tidied)
