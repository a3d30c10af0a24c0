"""One sitting of a run: from opening the ledger to the report. A run that is resumed has several sittings."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from haulier.delivery.pacing import Pace
from haulier.delivery.retry import Policy
from haulier.errors import ConfigurationError, LedgerError, PluginError, RunStopped
from haulier.io.activation import activation, changed, settings_of
from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import RunRow
from haulier.io.ledger.store import Ledger, LedgerView
from haulier.io.ledger.writer import Writer
from haulier.model.expression import RunFacts
from haulier.plugins.registry import Registry
from haulier.runs.authority import Authority
from haulier.runs.book import Book, Delivered
from haulier.runs.course import Course
from haulier.runs.driver import Driver
from haulier.runs.feed import Feed
from haulier.runs.filing import with_files
from haulier.runs.intake import Input, Intake
from haulier.runs.ordered import lane_of
from haulier.runs.outputs import close_outputs, lines_of, open_outputs, saved_bodies, transport_of
from haulier.runs.owing import Owing, ReadBack
from haulier.runs.positions import PositionSet
from haulier.runs.report import Report, report_of
from haulier.runs.resolved import Resolved
from haulier.runs.served import Served
from haulier.runs.sharing import share_of
from haulier.runs.source import InputChanged, PlanSource, Resumed
from haulier.runs.spooling import Spool
from haulier.runs.stored import store

__all__ = ["Orders", "Sitting"]

_SUPERSEDED = "superseded: its settings were changed before anything of it was delivered"
_MOST_IN_FLIGHT = 100  # where neither connector nor destination says; fewer as the service bears


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What is to be carried where. run_key None: found from the input. again: repeat a finished run.

    output_authorities: one for each output. params: values of `{param.x}`. on_delivery: told of each settled request,
    in the thread of the run.
    """

    resolved: Resolved
    registry: Registry
    authority: Authority
    output_authorities: tuple[Authority, ...] = ()
    root: Path
    state_dir: Path
    intake: Input
    run_key: str | None = None
    again: bool = False
    params: Mapping[str, str] = field(default_factory=dict)
    on_delivery: Callable[[Delivered], None] | None = None
    on_start: Callable[[str, str], None] | None = None


class Sitting:
    """Carries out orders; `stop` may be called from any thread."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._driver: Driver | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_reason = ""
        self._outputs: list[Served] = []
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

    async def run(self) -> Report:
        """Carry the input to its end or to a stop; the report says which.

        Raises ConfigurationError for what is wrong before the first request, InputError where the input ends in the
        middle of a record (what was read before stands), LedgerError where the ledger cannot be written.
        """
        self._loop = asyncio.get_running_loop()
        ledger: Store = Ledger.create(self._orders.state_dir)
        try:
            try:
                return await self._with_ledger(ledger)
            finally:
                await close_outputs(self._outputs)
        finally:
            ledger.close()

    # -- which run this is ---------------------------------------------------------------------------------------

    async def _with_ledger(self, ledger: Store) -> Report:
        orders = self._orders
        name = orders.resolved.destination.name
        fingerprint = await asyncio.to_thread(orders.intake.fingerprint)
        given = orders.run_key is not None
        run_key = orders.run_key or (f"{name}:{fingerprint}" if fingerprint else f"{name}:{uuid.uuid4().hex}")
        earlier = ledger.latest(run_key)
        if earlier is not None and earlier.state == "finished" and not orders.again:
            note = await self._note_for_finished(earlier, given=given)
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
            self._check_outputs(earlier, ledger.owing(earlier))
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
        return RunRow(
            id=0,
            run_id=uuid.uuid4().hex,
            run_key=run_key,
            parent=parent,
            state="open",
            reason="",
            started=time.time(),
            ended=None,
            source=self._orders.intake.name,
            fingerprint=fingerprint,
            settings=self._settings(),
            way=self._orders.resolved.way,
            read=0,
            digest=None,
            low_water=0,
            delivered=0,
            accepted=0,
            rejected=0,
            in_doubt=0,
            attempts=0,
        )

    async def _note_for_finished(self, earlier: RunRow, *, given: bool) -> str | None:
        """What to say beside the report of a finished run; None where the input is another one, to be sent."""
        intake = self._orders.intake
        if given and not intake.repeatable:
            return "a run under this key finished before; nothing was read or sent (--again repeats it)"
        same = await asyncio.to_thread(intake.whole_digest) == (earlier.read, earlier.digest)
        if given:
            if same:
                return "this run finished before; nothing was sent (--again repeats it)"
            return (
                "a run under this key finished before with another input; nothing was sent. "
                "Take another --run-key for this input, or --again"
            )
        if not same:
            return None
        if _compared(earlier.settings) != _compared(self._settings()):
            return None
        return "this very input was carried there before; nothing was sent (--again repeats it)"

    def _settings(self) -> str:
        """What a resume compares: all but limits, outputs and the credential's values; of those their types only."""
        settings = settings_of(self._orders.resolved.destination)
        for name in (
            "credential",
            "limits",
            "outputs",
            "description",
            "retry",
            "timeout_s",
            "transport",
            "unanswered",
        ):
            settings.pop(name, None)
        settings["origin"] = self._orders.resolved.address.origin + self._orders.resolved.address.base_path
        settings["parameters"] = dict(self._orders.params)
        settings["outputs"] = [output.to for output in self._orders.resolved.destination.outputs]
        return msgspec.json.encode(settings, order="deterministic").decode()

    def _is_bare(self, earlier: RunRow, ledger: Store) -> bool:
        """Whether nothing of a run can have come to anything, so that mended settings may begin it anew."""
        settled = earlier.delivered + earlier.accepted + earlier.in_doubt
        return not settled and not any(left.may_have_been_sent for left in ledger.unsettled(earlier))

    def goes_on(self, earlier: RunRow, ledger: Store) -> bool:
        """Whether an earlier run goes on with these settings; ConfigurationError where they differ too late."""
        if earlier.state == "finished":
            return True
        old, new = _compared(earlier.settings), _compared(self._settings())
        if old != new and self._is_bare(earlier, ledger):
            return False
        if old != new:
            lines = "; ".join(changed(old, new))
            raise ConfigurationError(
                f"run {earlier.run_id} of this input is unfinished and was begun with other settings: {lines}. "
                "Put them back to go on with it, or begin a run of its own with --run-key"
            )
        return True

    def _check_outputs(self, earlier: RunRow, owing: Mapping[int, tuple[int, int]]) -> None:
        """Lines are kept for outputs by their number: while there are any, each must be of the type it was."""
        outputs = [output.to for output in self._orders.resolved.destination.outputs]
        before = msgspec.json.decode(earlier.settings).get("outputs", outputs)
        for number, (count, _) in owing.items():
            if outputs[number : number + 1] != before[number : number + 1]:
                raise ConfigurationError(
                    f"run {earlier.run_id} of this input is unfinished and keeps {count:,} lines for its output "
                    f"{number + 1}; its outputs were: {', '.join(before)}. Put them back in this order to go on with "
                    "it, or begin a run of its own with --run-key"
                )

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
        source = PlanSource(feed, planner, resumed=left, parks=resolved.destination.unanswered == "park")
        finished = False
        try:
            await source.verify()
            if resumed:
                ledger.reopen(run)
            if orders.on_start is not None:
                orders.on_start(run.run_id, run.run_key)
            missing = left.known.missing(run.low_water, run.read) if left is not None else []
            report = await self._carry(ledger, run, source, missing)
            if not resumed and (unseen := planner.unseen()):
                report = msgspec.structs.replace(report, note="; ".join(filter(None, (report.note, *unseen))))
            finished = report.state == "finished"
            return report
        finally:
            feed.close()
            if self._spool is not None:
                self._spool.close(finished=finished)

    async def _carry(
        self, ledger: Store, run: RunRow, source: PlanSource, missing: Sequence[range]
    ) -> Report:
        orders, resolved = self._orders, self._orders.resolved
        outputs = self._outputs
        course = self._course(run.run_key)
        saved = saved_bodies(resolved, orders.root, run.run_id)
        book = Book(
            run,
            lines=lines_of(resolved, orders.registry, run.run_id, saved),
            redact=self._redact,
            missing=missing,
        )
        transport = transport_of(resolved, in_flight=course.max_in_flight, saved=saved)
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
        owing = Owing(outputs, read=self._read_back(run), paid=book.paid, failed=failed)
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

    def _course(self, run_key: str) -> Course:
        orders, resolved = self._orders, self._orders.resolved
        limits = resolved.limits
        in_flight = limits.max_in_flight or _MOST_IN_FLIGHT
        retry = resolved.destination.retry
        parks = resolved.destination.unanswered == "park"
        since = activation(orders.state_dir).since
        return Course(
            judging=resolved.judging(),
            policy=Policy(attempts=retry.attempts, base_s=retry.base_s, cap_s=retry.cap_s, park=parks),
            max_in_flight=in_flight,
            pace=Pace(
                requests_per_second=limits.requests_per_second or 0.0,
                most_in_flight=in_flight,
                told=limits.max_in_flight is not None,
                patience_s=limits.patience_s,
                base_s=retry.base_s,
                cap_s=retry.cap_s,
                quota_headers=resolved.connector.quota_headers,
                wall_s=time.time() - asyncio.get_running_loop().time(),
            ),
            patience_s=limits.patience_s,
            authorize=orders.authority.authorize(),
            stored=_nothing if orders.intake.repeatable or self._spool is not None else store,
            paused=lambda: _paused_since(orders.state_dir, since),
            lane=lane_of(resolved.destination),
            share=share_of(orders.state_dir.parent, resolved.origin, orders.authority),
            run_key=run_key,
            max_rejected=resolved.destination.max_rejected,
            # Under `park` a crash leaves intents without outcome in doubt: no more of them than may be in flight.
            window=min(256, in_flight if parks else max(4, 4 * in_flight)),
            ahead=in_flight if parks else 0,
        )

    def _read_back(self, run: RunRow) -> ReadBack:
        """Reads what an output is owed, in the output's thread: beside the writer, over a connection of its own."""

        def read(output: int, after: int, most: int) -> list[tuple[int, bytes]]:
            view = LedgerView.open(self._orders.state_dir)
            try:
                return view.owed(run, output=output, after=after, most=most)
            except sqlite3.Error as error:
                raise LedgerError(f"cannot read the ledger: {error}") from None
            finally:
                view.close()

        return read


def _left_over(ledger: Store, run: RunRow) -> Resumed:
    return Resumed(
        read=run.read,
        digest=run.digest,
        low_water=run.low_water,
        known=PositionSet([range(run.low_water), *ledger.known_above(run)]),
        unsettled=ledger.unsettled(run),
        next_number=ledger.next_number(run),
    )


def _compared(settings: str) -> Any:
    """Settings as two sittings are held against each other."""
    found = msgspec.json.decode(settings)
    found.pop("outputs", None)
    return found


def _paused_since(state_dir: Path, since: str) -> bool:
    """Whether a person paused the destination after this sitting began; sending to a paused one is the caller's act."""
    now: Any = activation(state_dir)
    return bool(now.state == "paused" and now.since != since)


def _nothing(_: object) -> None:
    return None
