"""The legs of a sitting: each stage with its run, its planner and where its records come from. A plain run has one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from haulier.io.ledger.onward import Onward
from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import RunRow
from haulier.io.ledger.store import LedgerView
from haulier.io.readers.input_hash import InputHash
from haulier.model.expression import RunFacts
from haulier.pipeline.planner import Planner
from haulier.runs.driving.orders import Orders
from haulier.runs.inputs.collisions import apart_from
from haulier.runs.inputs.feed import Feed
from haulier.runs.inputs.fetching import FetchedFiles
from haulier.runs.inputs.filing import Filing, Unfetched, with_files
from haulier.runs.inputs.positions import PositionSet
from haulier.runs.planning.choice import given
from haulier.runs.planning.process import PlannerProcess
from haulier.runs.previews.coding import code_room
from haulier.runs.resolving.resolved import Resolved
from haulier.runs.stages.received import ReceivedSource
from haulier.runs.stages.source import PlanSource, Resumed
from haulier.runs.stages.stage_feed import StageFeed
from haulier.runs.stages.working import Crowd

__all__ = ["Leg", "first_leg", "later_leg"]

_AHEAD = 16  # records whose files are fetched while that of an earlier one is waited for
_MOST_WORKERS = max(1, min(4, os.cpu_count() or 1))  # processes that run code


class Leg(msgspec.Struct, kw_only=True):
    """One stage of a sitting. feed: of a later stage. missing: positions that an earlier sitting had read and that are
    in no request. trail: where the records under way come from, by position. fetched: files that are fetched for it.
    close: lets go of what it reads from.
    """

    resolved: Resolved
    row: RunRow
    source: PlanSource | ReceivedSource
    missing: Sequence[range]
    close: Callable[[], None]
    feed: StageFeed | None = None
    fetched: FetchedFiles | None = None
    trail: dict[int, Onward] = {}


class _Begun(msgspec.Struct, frozen=True):
    """What every leg is made of, wherever its records come from. left: what an earlier sitting left over."""

    orders: Orders
    resolved: Resolved
    row: RunRow
    planner: Planner
    left: Resumed | None
    fetched: FetchedFiles | None

    def leg(
        self, feed: Feed | StageFeed, close: Callable[[], None], *, trail: dict[int, Onward] | None = None
    ) -> Leg:
        """The leg whose records this feed brings. close: lets go of what the feed reads from."""
        resolved, row, fetched = self.resolved, self.row, self.fetched
        crowd, close_all = _crowd(self.orders, resolved, row, _closing(close, fetched))
        parks = resolved.destination.unanswered == "park"
        return Leg(
            resolved=resolved,
            row=row,
            source=PlanSource(
                feed,
                self.planner,
                resumed=self.left,
                parks=parks,
                fetches=fetched is not None,
                crowd=crowd,
            ),
            missing=self.left.known.missing(row.low_water, row.read) if self.left is not None else [],
            close=close_all,
            feed=feed if isinstance(feed, StageFeed) else None,
            trail=trail if trail is not None else {},
            fetched=fetched,
        )


def first_leg(orders: Orders, ledger: Store, run: RunRow, facts: RunFacts, *, resumed: bool) -> Leg:
    """The stage that reads the input, or the only one; from the run's event loop."""
    resolved = orders.resolved
    planner = resolved.planner(facts)
    left = _left_over(ledger, run) if resumed else None
    orders.intake.begin(run.read, ledger.chunks(run), left.known if left is not None else PositionSet([]))
    fetched, filing = _files(orders, resolved, run, facts, left)
    begun = _Begun(orders, resolved, run, planner, left, fetched)

    def here() -> Leg:
        """The leg whose planner is in this process."""
        cut, most = run.read if left is not None else 0, 1 if fetched is not None else 0
        blocks = orders.intake.blocks(InputHash.of(run.digest), cut=cut, most=most)
        if orders.is_chain:
            blocks = apart_from([stage.name for stage in orders.stages], blocks)
        files = with_files(blocks, filing) if resolved.files else None
        feed = Feed(blocks, at_hand=orders.intake.at_hand) if files is None else Feed(files)
        return begun.leg(feed, feed.close)

    if orders.beside is None or orders.beside.closed:
        return here()
    if resumed or not given(orders.beside, orders.intake, resolved, facts):
        orders.beside.close()
        return here()
    source = ReceivedSource(PlannerProcess(orders.beside), planner, otherwise=here)
    return Leg(resolved=resolved, row=run, source=source, missing=[], close=source.close)


def later_leg(orders: Orders, at: int, ledger: Store, row: RunRow, facts: RunFacts, *, resumed: bool) -> Leg:
    """A stage that reads what the ledger has for it."""
    resolved = orders.stages[at]
    planner = resolved.planner(facts, run_id=row.run_id)
    left = _left_over(ledger, row, again=True) if resumed else None
    reading = _Reading(orders.state_dir, row)
    trail: dict[int, Onward] = {}
    fetched, filing = _files(orders, resolved, row, facts, left)
    feed = StageFeed(
        reading.read,
        start=row.low_water,
        known=row.read,
        trail=trail,
        filing=filing,
        fetches=fetched is not None,
    )
    return _Begun(orders, resolved, row, planner, left, fetched).leg(feed, reading.close, trail=trail)


def _files(
    orders: Orders, resolved: Resolved, run: RunRow, facts: RunFacts, left: Resumed | None
) -> tuple[FetchedFiles | None, Filing]:
    """What fetches files for a stage, None where nothing does; and what finds them."""
    rules = resolved.fetch
    fetched = FetchedFiles(rules, orders.state_dir, run.run_id) if rules is not None else None
    known = left.known if left is not None else None
    return fetched, Filing(resolved, facts, orders.root, fetched or Unfetched(), known, ahead=_AHEAD)


def _closing(close: Callable[[], None], fetched: FetchedFiles | None) -> Callable[[], None]:
    def close_both() -> None:
        close()
        if fetched is not None:
            fetched.close()

    return close_both


def _crowd(
    orders: Orders, resolved: Resolved, run: RunRow, close: Callable[[], None]
) -> tuple[Crowd | None, Callable[[], None]]:
    """What carries out the code of a stage, None where it has none; and what closes the leg."""
    room = code_room(resolved, orders.root, run.started, trusted=orders.trusted)
    if room is None:
        return None, close
    crowd = Crowd(room.carry, _MOST_WORKERS)

    def close_all() -> None:
        """Let go of what is read from, and of the processes that run code."""
        close()
        crowd.close()
        room.close()

    return crowd, close_all


class _Reading:
    """Reads records of a stage over a connection of its own, in whatever thread, one call at a time."""

    def __init__(self, state_dir: Path, row: RunRow) -> None:
        self._state_dir = state_dir
        self._row = row
        self._view: LedgerView | None = None

    def read(self, start: int, stop: int | None, most: int) -> list[Onward]:
        """At most `most` records from a position on, none from `stop` on; raises LedgerError."""
        self._view = self._view or LedgerView.open(self._state_dir)
        return self._view.onward(self._row, start, stop=stop, most=most)

    def close(self) -> None:
        """Let go of the ledger."""
        if self._view is not None:
            self._view.close()


def _left_over(ledger: Store, run: RunRow, *, again: bool = False) -> Resumed:
    return Resumed(
        read=run.read,
        digest=run.digest,
        low_water=run.low_water,
        known=PositionSet([range(run.low_water), *ledger.known_above(run)]),
        unsettled=ledger.unsettled(run),
        next_number=ledger.next_number(run),
        again=again,
    )
