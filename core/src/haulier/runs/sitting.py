"""One sitting of a run: from opening the ledger to the report. A run that is resumed has several sittings."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Sequence

import msgspec

from haulier.errors import LedgerError, PluginError, RunStopped
from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import RunRow
from haulier.io.ledger.store import Ledger
from haulier.io.ledger.writer import Writer
from haulier.model.expression import RunFacts
from haulier.runs.accounts import noted
from haulier.runs.book import Book
from haulier.runs.charting import course_of
from haulier.runs.coding import code_room
from haulier.runs.driver import Driver
from haulier.runs.feed import Feed
from haulier.runs.filing import with_files
from haulier.runs.follow import Follower
from haulier.runs.following import follow_after, follows, read_back
from haulier.runs.identity import check_outputs, goes_on, new_run, note_for_finished
from haulier.runs.intake import Intake
from haulier.runs.orders import Orders
from haulier.runs.outputs import close_outputs, lines_of, open_outputs, saved_bodies, transport_of
from haulier.runs.owing import Owing
from haulier.runs.positions import PositionSet
from haulier.runs.report import Report, report_of
from haulier.runs.resolved import Resolved
from haulier.runs.served import Served
from haulier.runs.source import InputChanged, PlanSource, Resumed
from haulier.runs.spooling import Spool
from haulier.runs.working import Crowd

__all__ = ["Sitting"]

_MOST_WORKERS = max(1, min(4, os.cpu_count() or 1))  # processes that run code

_SUPERSEDED = "superseded: its settings were changed before anything of it was delivered"


class Sitting:
    """Carries out orders; `stop` may be called from any thread."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._driver: Driver | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_reason = ""
        self._outputs: list[Served] = []
        self._follower: Follower | None = None
        self._spool: Spool | None = None
        self._redact = orders.authority.redactor(*orders.output_authorities)

    @property
    def resolved(self) -> Resolved:
        """The destination as it will be carried to."""
        return self._orders.resolved

    def stop(self, reason: str) -> None:
        """Take nothing more in, finish what is in flight, then end; the run can be resumed."""
        self._stop_reason = self._stop_reason or reason
        driver, loop = self._driver, self._loop
        if driver is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(driver.stop, reason)
        if self._follower is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._follower.stop, reason)

    async def run(self) -> Report:
        """Carry the input to its end or to a stop; the report says which.

        Raises ConfigurationError for what is wrong before the first request, InputError where the input ends in the
        middle of a record (what was read before stands), LedgerError where the ledger cannot be written.
        """
        self._loop = asyncio.get_running_loop()
        ledger: Store = Ledger.create(self._orders.state_dir)
        try:
            try:
                return await self._followed(ledger, await self._with_ledger(ledger))
            finally:
                await close_outputs(self._outputs)
        finally:
            ledger.close()

    async def _followed(self, ledger: Store, report: Report) -> Report:
        """The report once the jobs of what was accepted are at their end, where they are to be followed."""
        orders = self._orders
        if not follows(orders) or not report.accepted or report.state != "finished" or self._stop_reason:
            return report
        if not self._outputs:
            self._outputs = await open_outputs(
                orders.resolved, orders.registry, orders.root, orders.output_authorities
            )

        def begun(follower: Follower) -> None:
            self._follower = follower

        return await follow_after(orders, ledger, report, self._outputs, begun=begun)

    # -- which run this is ---------------------------------------------------------------------------------------

    async def _with_ledger(self, ledger: Store) -> Report:
        orders = self._orders
        name = orders.resolved.destination.name
        fingerprint = await asyncio.to_thread(orders.intake.fingerprint)
        given = orders.run_key is not None
        run_key = orders.run_key or (f"{name}:{fingerprint}" if fingerprint else f"{name}:{uuid.uuid4().hex}")
        earlier = ledger.latest(run_key)
        if earlier is not None and earlier.state == "finished" and not orders.again:
            note = await note_for_finished(orders, earlier, given=given)
            if note is not None:
                return report_of(ledger, earlier, name, repeated=True, note=note)
            earlier = None
        self._outputs = await open_outputs(
            orders.resolved, orders.registry, orders.root, orders.output_authorities
        )
        if earlier is not None and not self.goes_on(earlier, ledger):
            ledger.end(earlier, state="stopped", reason=_SUPERSEDED, ended=time.time())
            earlier = None
        if earlier is not None and earlier.state != "finished":
            check_outputs(orders, earlier, ledger.owing(earlier))
            try:
                return await self._drive(ledger, earlier, resumed=True)
            except InputChanged as error:
                if given:
                    raise InputChanged(
                        f"run {earlier.run_id} under the key {run_key!r} is unfinished and was reading "
                        f"{earlier.source} (fingerprint {earlier.fingerprint[:24]}); this input is "
                        f"{orders.intake.name} (fingerprint {fingerprint[:24]}): {error}. "
                        "Give the same input, or take another --run-key"
                    ) from None
        await asyncio.to_thread(ledger.compact)
        return await self._drive(ledger, ledger.start(self.new_run(run_key, fingerprint)), resumed=False)

    def new_run(self, run_key: str, fingerprint: str, parent: str = "") -> RunRow:
        """The row that a new run begins with. parent: of a replay, the runs whose dead letters it carries."""
        return new_run(self._orders, run_key, fingerprint, parent)

    def goes_on(self, earlier: RunRow, ledger: Store) -> bool:
        """Whether an earlier run goes on with these settings; ConfigurationError where they differ too late."""
        return goes_on(self._orders, earlier, ledger)

    # -- driving it ----------------------------------------------------------------------------------------------

    async def _drive(self, ledger: Store, run: RunRow, *, resumed: bool) -> Report:
        orders, resolved = self._orders, self._orders.resolved
        facts = RunFacts(run.run_id, run.started, orders.params)
        planner = resolved.planner(facts)
        left = _left_over(ledger, run) if resumed else None
        if isinstance(orders.intake, Intake) and orders.intake.doors is not None:
            self._spool = orders.intake.doors.spool = Spool(orders.state_dir, run.run_id)
        orders.intake.begin(run.read, ledger.chunks(run), left.known if left is not None else PositionSet([]))
        blocks = orders.intake.blocks(cut=run.read if left is not None else 0)
        feed = Feed(with_files(blocks, resolved, facts, orders.root))
        room = code_room(resolved, orders.root, run.started, trusted=orders.trusted)
        crowd = Crowd(room.carry, _MOST_WORKERS) if room is not None else None
        parks = resolved.destination.unanswered == "park"
        source = PlanSource(feed, planner, resumed=left, parks=parks, crowd=crowd)
        finished = False
        try:
            await source.verify()
            if resumed:
                ledger.reopen(run)
            if orders.on_start is not None:
                orders.on_start(run.run_id, run.run_key)
            missing = left.known.missing(run.low_water, run.read) if left is not None else []
            report = await self._carry(ledger, run, source, missing)
            if not resumed and (remarks := planner.remarks()):
                report = msgspec.structs.replace(
                    report, note="; ".join(filter(None, (report.note, *remarks)))
                )
            finished = report.state == "finished"
            return report
        finally:
            feed.close()
            if room is not None and crowd is not None:
                crowd.close()
                room.close()
            if self._spool is not None:
                self._spool.close(finished=finished)

    async def _carry(
        self, ledger: Store, run: RunRow, source: PlanSource, missing: Sequence[range]
    ) -> Report:
        orders, resolved = self._orders, self._orders.resolved
        outputs = self._outputs
        course = course_of(orders, run.run_key, spooled=self._spool is not None)
        saved = saved_bodies(resolved, orders.root, run.run_id)
        book = Book(
            run,
            lines=lines_of(resolved, orders.registry, run.run_id, saved),
            redact=self._redact,
            missing=missing,
            follows=follows(orders),
        )
        transport = noted(transport_of(resolved, in_flight=course.max_in_flight, saved=saved), orders)
        loop = asyncio.get_running_loop()

        def done(count: int, error: LedgerError | None) -> None:
            loop.call_soon_threadsafe(driver.committed, count, error)

        def failed(error: Exception) -> None:
            if isinstance(error, PluginError):
                driver.fail(error)
            else:
                driver.stop(str(error))

        async def meanwhile() -> None:
            if course.paused():
                driver.stop("the destination was paused; activate it and run again to go on")
            await driver.flush()

        writer = Writer(ledger, run.id, done, before=self._spool.sync if self._spool is not None else None)
        owing = Owing(outputs, read=read_back(orders.state_dir, run), paid=book.paid, failed=failed)
        driver = Driver(
            source,
            book,
            transport,
            course,
            write=writer.put,
            settled=orders.on_delivery,
            durable=owing.durable if outputs else None,
        )
        self._driver = driver
        if self._stop_reason:
            driver.stop(self._stop_reason)
        owed = ledger.owing(run)
        book.owed_before(max((newest for _, newest in owed.values()), default=-1))
        owing.begin(owed)
        writer.start()
        try:
            await driver.run()
            if why := await owing.finish(stopped=lambda: bool(driver.stop_reason), meanwhile=meanwhile):
                driver.stop(why)
            await driver.flush(last=True)
        except Exception as error:
            # An input's iterator, a plugin or the ledger: everything in flight has come to rest, the run can go on.
            writer.close()
            if not isinstance(error, LedgerError):
                self._end(ledger, run, f"{type(error).__name__}: {error}")
            raise
        finally:
            writer.close()
            await owing.close()
            await transport.close()
            course.share.close()
        return self._end(ledger, run, driver.stop_reason)

    def _end(self, ledger: Store, run: RunRow, stop_reason: str) -> Report:
        """Close the books of this sitting; the report."""
        row = ledger.run(run.run_id)
        if row is None:
            raise RunStopped(f"run {run.run_id} is no longer in its ledger")
        pending = report_of(ledger, row, self._orders.resolved.destination.name).pending
        if pending and not stop_reason:
            stop_reason = (
                f"{pending:,} records that an earlier sitting had taken in were not given again; "
                "write them once more, under the name their chunk had"
            )
        state = "stopped" if stop_reason else "finished"
        ledger.end(run, state=state, reason=self._redact(stop_reason), ended=time.time())
        row = ledger.run(run.run_id)
        if row is None:
            raise RunStopped(f"run {run.run_id} is no longer in its ledger")
        note = "" if row.read or stop_reason else "the input holds no records"
        if self._spool is not None and self._spool.broken_off and not stop_reason:
            note = "standard input had broken off: what was read until then was carried"
        return report_of(ledger, row, self._orders.resolved.destination.name, note=note)


def _left_over(ledger: Store, run: RunRow) -> Resumed:
    return Resumed(
        read=run.read,
        digest=run.digest,
        low_water=run.low_water,
        known=PositionSet([range(run.low_water), *ledger.known_above(run)]),
        unsettled=ledger.unsettled(run),
        next_number=ledger.next_number(run),
    )
