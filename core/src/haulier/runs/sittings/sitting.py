"""One sitting of a run: from opening the ledger to the report. A run that is resumed has several sittings."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

import msgspec

from haulier.errors import HaulierError, LedgerError, RunStopped
from haulier.io.credentials import Redactor
from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import RunRow
from haulier.io.ledger.store import Ledger
from haulier.io.ledger.writer import Writer
from haulier.model.destination import OutputChoice
from haulier.model.expression import RunFacts
from haulier.runs.driving.orders import Orders
from haulier.runs.inputs.fetching import forget_fetched
from haulier.runs.inputs.intake import Intake
from haulier.runs.inputs.spooling import Spool
from haulier.runs.inputs.spools import hand_over
from haulier.runs.jobs.follow import Follower
from haulier.runs.jobs.following import follow_after, follows, read_back
from haulier.runs.outputs.left_over import hand_over_lines
from haulier.runs.outputs.opened import check_files_roots, close_outputs, open_outputs
from haulier.runs.outputs.served import Served
from haulier.runs.reports.report import Report, report_of
from haulier.runs.resolving.resolved import place_of
from haulier.runs.sittings.identity import (
    check_bodies,
    check_hash,
    check_outputs,
    goes_on,
    later_stages,
    new_run,
    note_for_finished,
    settings_now,
    stages_mended,
)
from haulier.runs.stages.chain import Chain
from haulier.runs.stages.legs import Leg, first_leg, later_leg
from haulier.runs.stages.source import InputChanged

__all__ = ["Sitting"]

_SUPERSEDED = "superseded: its settings were changed before anything of it was delivered"


class Sitting:
    """Carries out orders; `stop` may be called from any thread.

    beforehand: what to say before anything is sent. take_back: to be called where it is not carried out after all.
    """

    def __init__(self, orders: Orders) -> None:
        self.beforehand = ""
        self.take_back: Callable[[], None] = _nothing
        self._orders = orders
        self._chain: Chain | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_reason = ""
        self._outputs: list[Served] = []
        self._follower: Follower | None = None
        self._spool: Spool | None = None
        self._redact = _redactor(orders)

    @property
    def outputs(self) -> tuple[OutputChoice, ...]:
        """What will be told of what came of the records."""
        return self._orders.outputs

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages, in order; one empty name of a destination without stages."""
        return tuple(stage.name for stage in self._orders.stages)

    def stop(self, reason: str) -> None:
        """Take nothing more in, finish what is in flight, then end; the run can be resumed."""
        self._stop_reason = self._stop_reason or reason
        chain, loop = self._chain, self._loop
        if chain is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(chain.stop, reason)
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
        after = not orders.is_chain and follows(orders, 0)  # stages are followed while others are under way
        if not after or not report.accepted or report.state != "finished" or self._stop_reason:
            return report
        if not self._outputs:
            await self._open_outputs()

        def begun(follower: Follower) -> None:
            self._follower = follower

        return await follow_after(orders, ledger, report, self._outputs, begun=begun)

    async def _open_outputs(self) -> None:
        orders = self._orders
        self._outputs = await open_outputs(
            orders.outputs,
            orders.registry,
            orders.root,
            orders.output_authorities,
            place=place_of(orders.destination, None),
            kept=orders.kept,
        )

    # -- which run this is ---------------------------------------------------------------------------------------

    async def _with_ledger(self, ledger: Store) -> Report:
        orders = self._orders
        name = orders.destination.name
        fingerprint = await asyncio.to_thread(orders.intake.fingerprint)
        given = orders.run_key is not None
        run_key = orders.run_key or (f"{name}:{fingerprint}" if fingerprint else f"{name}:{uuid.uuid4().hex}")
        earlier = ledger.latest(run_key)
        if earlier is not None and earlier.state == "finished" and not orders.again:
            note = await note_for_finished(orders, earlier, given=given)
            if note is not None:
                note = "; ".join(filter(None, (note, await self._handed_over(ledger, earlier))))
                return report_of(ledger, earlier, name, repeated=True, note=note)
            earlier = None
        check_files_roots(orders)
        await self._open_outputs()
        superseded: RunRow | None = None
        if earlier is not None and not self.goes_on(earlier, ledger):
            ledger.end(earlier, state="stopped", reason=_SUPERSEDED, ended=time.time())
            superseded, earlier = earlier, None
        if earlier is not None and earlier.state != "finished":
            check_hash(earlier)
            check_outputs(orders, earlier, ledger.owing(earlier))
            try:
                return await self._drive(ledger, earlier, resumed=True)
            except InputChanged as error:
                if given:
                    raise InputChanged(
                        f"run {earlier.run_id} under the key {run_key!r} is unfinished and was reading "
                        f"{_named(earlier.source, earlier.fingerprint)}; this input is "
                        f"{_named(orders.intake.name, fingerprint)}: {error}. "
                        "Give the same input, or take another --run-key (run_key=)"
                    ) from None
        await asyncio.to_thread(ledger.compact)
        run = self._started(ledger, run_key, fingerprint, superseded)
        return await self._drive(ledger, run, resumed=False)

    async def _handed_over(self, ledger: Store, run: RunRow) -> str:
        """What to say of lines that a finished run still owed, which its outputs have now; empty without any."""
        owing = ledger.owing(run)
        if not owing:
            return ""
        check_outputs(self._orders, run, owing)
        await self._open_outputs()
        why = await hand_over_lines(
            ledger,
            run,
            self._outputs,
            read=read_back(self._orders.state_dir, run),
            stopped=lambda: bool(self._stop_reason),
        )
        if ledger.owing(run):
            raise RunStopped(
                f"run {run.run_id} finished, but its outputs lack lines: "
                f"{self._redact(why) or self._stop_reason}"
            )
        return f"{_lines_in(owing):,} lines that were kept for its outputs were handed over"

    def _started(self, ledger: Store, run_key: str, fingerprint: str, superseded: RunRow | None) -> RunRow:
        """A new run; what one whose place it takes has read of standard input is its own from now on."""
        run = self.new_run(run_key, fingerprint)
        if superseded is not None:
            hand_over(self._orders.state_dir, superseded.run_id, run.run_id)
        return ledger.start(run, later_stages(self._orders, run))

    def later_stages(self, run: RunRow) -> list[RunRow]:
        """The rows of the later stages of a chain, beside that of its run."""
        return later_stages(self._orders, run)

    def new_run(self, run_key: str, fingerprint: str, parent: str = "") -> RunRow:
        """The row that a new run begins with. parent: of a replay, the runs whose dead letters it carries."""
        return new_run(self._orders, run_key, fingerprint, parent)

    def goes_on(self, earlier: RunRow, ledger: Store) -> bool:
        """Whether an earlier run goes on with these settings; ConfigurationError where they differ too late."""
        return goes_on(self._orders, earlier, ledger)

    # -- driving it ----------------------------------------------------------------------------------------------

    async def _drive(self, ledger: Store, run: RunRow, *, resumed: bool) -> Report:
        orders = self._orders
        facts = RunFacts(run.run_id, run.started, orders.params)
        if isinstance(orders.intake, Intake) and orders.intake.doors is not None:
            self._spool = orders.intake.doors.spool = Spool(orders.state_dir, run.run_id)
        if resumed:
            for stage in stages_mended(orders, run, ledger):
                ledger.plan_anew(stage)
        legs = [first_leg(orders, ledger, run, facts, resumed=resumed)]
        finished = False
        try:
            legs += [
                later_leg(orders, at, ledger, row, facts, resumed=resumed)
                for at, row in enumerate(ledger.stages(run), 1)
            ]
            for leg in legs:
                await leg.source.verify()
            if resumed:
                check_bodies(orders, run, [left for leg in legs for left in leg.source.changed])
                ledger.reopen(settings_now(orders, run))
            if orders.on_start is not None:
                orders.on_start(run.run_id, run.run_key)
            report = await self._carry(ledger, run, legs)
            remarks = self._chain.remarks() if self._chain is not None else ()
            if not resumed and remarks:
                report = msgspec.structs.replace(
                    report, note="; ".join(filter(None, (report.note, *remarks)))
                )
            finished = report.state == "finished"
            return report
        finally:
            for leg in legs:
                leg.close()
            if self._spool is not None:
                self._spool.close(finished=finished)

    async def _carry(self, ledger: Store, run: RunRow, legs: Sequence[Leg]) -> Report:
        chain = Chain(
            self._orders,
            ledger,
            legs,
            self._outputs,
            redact=self._redact,
            make_writer=Writer,
            before=self._spool.sync if self._spool is not None else None,
            spooled=self._spool is not None,
        )
        self._chain = chain
        if self._stop_reason:
            chain.stop(self._stop_reason)
        try:
            stopped = await chain.run()
        except Exception as error:
            # An input's iterator, a plugin or the ledger: everything in flight has come to rest, the run can go on.
            if not isinstance(error, LedgerError):
                told = str(error) if isinstance(error, HaulierError) else f"{type(error).__name__}: {error}"
                self._end(ledger, run, told)
            raise
        return self._end(ledger, run, stopped)

    def _end(self, ledger: Store, run: RunRow, stop_reason: str) -> Report:
        """Close the books of this sitting; the report."""
        row = _as_it_is(ledger, run)
        carried = report_of(ledger, row, self._orders.destination.name)
        if carried.pending and not stop_reason:
            stop_reason = (
                f"{carried.pending:,} records that an earlier sitting had taken in were not given again; "
                "write them once more, under the name their chunk had"
            )
        if not stop_reason and (owed := _lines_in(ledger.owing(run))):
            stop_reason = f"{owed:,} lines are kept for its outputs; the same call hands them over"
        state = "stopped" if stop_reason else "finished"
        if state == "finished":  # before its end is durable: nobody looks at a finished run again
            forget_fetched(self._orders.state_dir, run.run_id)
        ledger.end(run, state=state, reason=self._redact(stop_reason), ended=time.time())
        row = _as_it_is(ledger, run)
        note = "" if carried.read or stop_reason else "the input holds no records"
        if self._spool is not None and self._spool.broken_off and not stop_reason:
            note = "standard input had broken off: what was read until then was carried"
        return report_of(ledger, row, self._orders.destination.name, note=note)


def _nothing() -> None:
    """There is nothing to take back."""


def _as_it_is(ledger: Store, run: RunRow) -> RunRow:
    """The row of a run as its ledger has it now."""
    row = ledger.run(run.run_id)
    if row is None:
        raise RunStopped(f"run {run.run_id} is no longer in its ledger")
    return row


def _named(source: str, fingerprint: str) -> str:
    """An input with its fingerprint, where it has one: an iterator has none."""
    return f"{source} (fingerprint {fingerprint[:24]})" if fingerprint else source


def _lines_in(owing: Mapping[int, tuple[int, int]]) -> int:
    """How many lines a run owes to all its outputs."""
    return sum(count for count, _ in owing.values())


def _redactor(orders: Orders) -> Redactor:
    first, *more = orders.authorities
    return first.redactor(*more, *orders.output_authorities)
