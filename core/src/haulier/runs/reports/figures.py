"""The figures of a run: how fast it was, what it cost, and what it waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from haulier.io.ledger.rows import RunRow
from haulier.io.ledger.view import LedgerView

__all__ = ["Figures", "figures_of"]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a run took. Times in seconds, rates per second of `active_s`.

    active_s: under way, over all sittings. attempts: requests that went out, which is what a service may count and
    bill; requests: different ones; repeated: those that went out more than once. cut_off: requests without outcome when
    a process ended or the ledger took no more, summed over sittings; how often each went out until then only the
    service knows, so where there are any, attempts and repeated are the least there were. busy_s: summed over all
    attempts, from sending to answer; waited_s: summed over all requests, between their attempts. slowest: (number,
    seconds) of the requests whose slowest attempt took longest; hashes: their number -> SHA-256 of the body, as
    preview shows it. Both are empty of a chain, as each stage has numbers of its own. Times are kept from ledger
    version 2 on; 0 before.
    """

    active_s: float
    records_per_second: float
    requests_per_second: float
    attempts: int
    requests: int
    repeated: int
    cut_off: int
    busy_s: float
    waited_s: float
    slowest: tuple[tuple[int, float], ...]
    hashes: Mapping[int, str] = {}

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        values = msgspec.structs.asdict(self)
        hashes = values.pop("hashes")
        values["slowest"] = [
            {"number": number, "seconds": seconds, "sha256": hashes.get(number, "")}
            for number, seconds in self.slowest
        ]
        return values


def figures_of(view: LedgerView, runs: Sequence[RunRow]) -> Figures:
    """The figures of a run as its ledger has them now; runs: it, or the stages of a chain."""
    settled = sum(run.delivered + run.accepted + run.rejected + run.in_doubt for run in runs)
    attempts, active_s = sum(run.attempts for run in runs), max(run.active_s for run in runs)
    costs = [view.cost(run) for run in runs]
    slowest = tuple(view.slowest(runs[0])) if len(runs) == 1 else ()
    hashes = view.hashes(runs[0], [number for number, _ in slowest])
    return Figures(
        active_s=active_s,
        records_per_second=settled / active_s if active_s else 0.0,
        requests_per_second=attempts / active_s if active_s else 0.0,
        attempts=attempts,
        requests=sum(requests for requests, _ in costs),
        repeated=sum(repeated for _, repeated in costs),
        cut_off=sum(run.cut_off for run in runs),
        busy_s=sum(run.busy_s for run in runs),
        waited_s=sum(run.waited_s for run in runs),
        slowest=slowest,
        hashes={number: digest.hex() for number, digest in hashes.items()},
    )
