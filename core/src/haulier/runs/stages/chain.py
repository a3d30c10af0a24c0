"""The drivers of a sitting, one for each stage: built, joined, and driven to their end or to a stop.

A run without stages has one driver, and nothing here happens to it that would not happen to a chain. All stages share
the ledger's writer, so that one transaction carries an outcome and the records it makes for the stage that follows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from haulier.errors import LedgerError, PluginError
from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import Commit
from haulier.io.ledger.writer import Writer
from haulier.io.saving import SavedBodies
from haulier.io.transports.protocol import Transport
from haulier.runs.credentials.accounts import noted
from haulier.runs.credentials.acquiring import with_tokens
from haulier.runs.driving.book import Book
from haulier.runs.driving.course import Course
from haulier.runs.driving.driver import Driver
from haulier.runs.driving.joint import Depth, Place
from haulier.runs.driving.numbering import Numbering
from haulier.runs.driving.orders import Orders
from haulier.runs.jobs.following import follows, read_back
from haulier.runs.jobs.questions import questioner_of
from haulier.runs.outputs.joining import Lines
from haulier.runs.outputs.opened import joined_of, lines_of, saved_bodies, transport_of
from haulier.runs.outputs.owing import Owing
from haulier.runs.outputs.served import Served
from haulier.runs.resolving.ordered import KeyLane
from haulier.runs.stages.charting import course_of, joints_of
from haulier.runs.stages.legs import Leg
from haulier.runs.stages.passing import Passing
from haulier.runs.stages.stage_feed import StageFeed
from haulier.runs.stages.stage_follow import (
    JointTurns,
    StageFollowing,
    StageKeeping,
    jobs_reader,
    left_unfollowed,
)

__all__ = ["Chain"]

_PAUSED = "the destination was paused; activate it and run again to go on"


class _Stage(msgspec.Struct, eq=False, kw_only=True):
    """A stage under way. lines: makes those of its own outputs. durable: commits of its driver that are.

    following: follows its jobs, where it has any beside its driver.
    """

    leg: Leg
    course: Course
    lines: Lines | None
    book: Book
    transport: Transport
    driver: Driver
    following: StageFollowing | None = None
    durable: int = 0


class Chain:
    """legs: of the stages, in order. outputs: open, those of the chain first. before: see Writer. redact: see Book.

    Made inside the running loop; all methods belong to its thread.
    """

    def __init__(
        self,
        orders: Orders,
        ledger: Store,
        legs: Sequence[Leg],
        outputs: Sequence[Served],
        *,
        redact: Callable[[str], str],
        make_writer: Callable[..., Writer],
        before: Callable[[], None] | None,
        spooled: bool,
    ) -> None:
        self._orders = orders
        self._legs = legs
        self._run = legs[0].row
        self._redact = redact
        self._loop = asyncio.get_running_loop()
        # The commits that are on their way to the disk: whose each is, and what a follower waits for with it.
        self._order: deque[tuple[int, Commit, asyncio.Future[None] | None]] = deque()
        self._durable = 0
        self._numbering = Numbering()
        self._joints = joints_of(orders)
        self._depth = Depth(self._joints)
        self._joined = joined_of(orders, self._run.run_id)
        self._stages: list[_Stage] = []
        self._lost: LedgerError | None = None
        self.stop_reason = self._not_at_end = ""
        self._writer = make_writer(ledger, self._run.id, self._written, before=before)
        first_output = len(orders.destination.outputs) if orders.is_chain else 0
        for at, leg in enumerate(legs):
            self._stages.append(self._stage(at, first_output, spooled=spooled))
            first_output += len(leg.resolved.destination.outputs)
        for at, stage in enumerate(self._stages):
            stage.following = self._following_of(at)
        self._owing = Owing(
            outputs,
            read=read_back(orders.state_dir, self._run),
            paid=self._stages[0].book.paid,
            failed=self._output_failed,
        )
        owed = ledger.owing(self._run)
        self._numbering.after(max((newest for _, newest in owed.values()), default=-1))
        self._owing.begin(owed)

    def stop(self, reason: str) -> None:
        """Take nothing more in, let what is in flight finish, then end; resumable."""
        self.stop_reason = self.stop_reason or reason
        for stage in self._stages:
            stage.driver.stop(reason)
        for stage in self._stages:
            if stage.following is not None:
                stage.following.stop(reason)

    async def run(self) -> str:
        """Drive all stages to their end, or to a stop; why they stopped, or an empty text. All is durable then.

        Raises what an input's iterator, a plugin or the ledger raised, after what was in flight has come to rest.
        """
        self._writer.start()
        # The last one first: what an earlier sitting left of it goes out before anything new.
        tasks: list[asyncio.Future[None]] = [
            asyncio.ensure_future(self._drive(at)) for at in reversed(range(len(self._stages)))
        ]
        try:
            await _all(tasks)
            late = await self._owing.finish(
                stopped=lambda: bool(self._why_stopped()), meanwhile=self._meanwhile
            )
            if late:
                self.stop(late)
            for stage in self._stages:
                await stage.driver.flush(last=True)
        finally:
            self._writer.close()
            await self._owing.close()
            for stage in self._stages:
                await stage.transport.close()
            for joint in set(self._joints):
                joint.share.close()
        return self._why_stopped()

    def remarks(self) -> tuple[str, ...]:
        """What the author of the destination should know of the records so far, in words."""
        lanes = [stage.course.lane for stage in self._stages]
        of_order = [remark for lane in lanes if isinstance(lane, KeyLane) for remark in lane.remarks()]
        tellers = (self._joined, *(stage.lines for stage in self._stages))
        of_lines = [remark for teller in tellers if teller is not None for remark in teller.remarks()]
        return (*(remark for leg in self._legs for remark in leg.source.remarks()), *of_order, *of_lines)

    # -- building ------------------------------------------------------------------------------------------------

    def _stage(self, at: int, first_output: int, *, spooled: bool) -> _Stage:
        """A stage with its driver. first_output: the number of its first own output, among those of all stages."""
        leg, orders = self._legs[at], self._orders
        course = course_of(orders, at, self._run.run_key, spooled=spooled, fetched=leg.fetched)
        saved = saved_bodies(leg.resolved, orders.root, self._run.run_id)
        lines = lines_of(leg.resolved, orders.registry, leg.row.run_id, saved, first=first_output)
        passing = self._passing(at, lines) if orders.is_chain else None
        book = Book(
            leg.row,
            lines=passing if passing is not None else lines,
            redact=self._redact,
            missing=leg.missing,
            # Records of a chain that wait for a job have not ended, whoever asks for it.
            follows=True if self._leaves_jobs(at) else follows(orders, at),
            numbering=self._numbering,
            outbox=self._run.id,
            onward=passing,
        )
        transport = self._transport(at, course, saved)
        driver = Driver(
            leg.source,
            book,
            transport,
            course,
            self._place(at),
            write=lambda commit: self._write(at, commit),
            stopped=lambda reason: self._stopped_by(at, reason),
            settled=orders.on_delivery,
            durable=lambda commit: self._told_durable(at, commit),
        )
        return _Stage(leg=leg, course=course, lines=lines, book=book, transport=transport, driver=driver)

    def _transport(self, at: int, course: Course, saved: SavedBodies | None) -> Transport:
        """What sends the requests of a stage, saves its answers, and learns of its account."""
        resolved, authority = self._legs[at].resolved, self._orders.authorities[at]
        transport = transport_of(resolved, in_flight=course.max_in_flight, saved=saved)
        transport = noted(transport, resolved, authority, self._orders.root)
        return with_tokens(transport, authority, timeout_s=resolved.destination.timeout_s)

    def _place(self, at: int) -> Place:
        leg, feed, later = self._legs[at], self._legs[at].feed, self._later_feed(at)
        return Place(
            joint=self._joints[at],
            depth=self._depth,
            at=at,
            unproven=at > 0 and not (leg.row.delivered or self._run.parent),
            coming=(lambda: feed.coming) if feed is not None else None,
            quiet=later.flush if later is not None else None,
        )

    def _later_feed(self, at: int) -> StageFeed | None:
        """What feeds the stage that follows; None behind the last one."""
        return self._legs[at + 1].feed if at + 1 < len(self._legs) else None

    def _passing(self, at: int, own: Lines | None) -> Passing:
        """What makes the records of a stage of a chain for later ones, and the lines of its outputs."""
        return Passing(
            at,
            [one.resolved for one in self._legs],
            [one.row for one in self._legs],
            trail=self._legs[at].trail,
            own=own,
            joined=self._joined,
            redact=self._redact,
            announce=self._announce,
        )

    def _following_of(self, at: int) -> StageFollowing | None:
        """What follows the jobs of a stage of a chain; None where it has none, or they are left."""
        leg, orders, joint = self._legs[at], self._orders, self._joints[at]
        if not orders.is_chain or not follows(orders, at):
            return None
        questioner = questioner_of(leg.resolved, orders.registry, leg.row, orders.root)
        assert questioner is not None
        keeping = StageKeeping(
            jobs_reader(orders.state_dir, leg.row),
            leg.trail,
            questioner,
            self._passing(at, self._stages[at].lines),
            write=lambda commit, passing: self._write_followed(at, commit, passing),
            redact=self._redact,
        )
        turns = JointTurns(joint, self._depth.pump, self.stop)
        return StageFollowing(orders, at, leg, questioner, keeping, turns, redact=self._redact)

    def _leaves_jobs(self, at: int) -> bool:
        """Whether a stage of a chain has jobs that are not to be followed in this sitting."""
        return self._orders.is_chain and follows(self._orders, at) is False

    # -- between the stages --------------------------------------------------------------------------------------

    def _announce(self, at: int, count: int) -> None:
        feed = self._legs[at].feed
        assert feed is not None
        feed.announce(count)

    def _write(self, at: int, commit: Commit) -> None:
        self._put(at, commit, None)

    async def _write_followed(self, at: int, commit: Commit, passing: Passing) -> None:
        """Write what a follower found, numbered as what books turn, and return when it is durable."""
        if self._lost is not None:
            raise self._lost
        commit.owed = [(self._numbering.take(), output, line) for _, output, line in commit.owed]
        commit.outbox = self._run.id
        commit.onward = passing.take()
        durable: asyncio.Future[None] = self._loop.create_future()
        self._put(at, commit, durable)
        await durable

    def _put(self, at: int, commit: Commit, durable: asyncio.Future[None] | None) -> None:
        self._order.append((at, commit, durable))
        self._writer.put(commit, self._legs[at].row.id)

    def _written(self, count: int, error: LedgerError | None) -> None:
        """In the writer's thread: so many commits are durable since the start."""
        self._loop.call_soon_threadsafe(self._committed, count, error)

    def _committed(self, count: int, error: LedgerError | None) -> None:
        if error is not None:
            self._lost = error
            for stage in self._stages:
                stage.driver.committed(0, error)
            for *_, durable in self._order:
                if durable is not None and not durable.done():
                    durable.set_exception(error)
            return
        told = set()
        while self._durable < count:
            at, commit, durable = self._order.popleft()
            self._durable += 1
            if commit.owed:  # here, in the ledger's order: drivers are told in another
                self._owing.durable(commit)
            if durable is None:
                self._stages[at].durable += 1
                told.add(at)
            else:
                self._told_durable(at, commit)
                if not durable.done():
                    durable.set_result(None)
        for at in sorted(told, reverse=True):
            stage = self._stages[at]
            stage.driver.committed(stage.durable, None)

    def _told_durable(self, at: int, commit: Commit) -> None:
        stage = self._stages[at]
        if stage.leg.fetched is not None:
            stage.leg.fetched.durable(commit)
        if stage.following is not None:
            stage.following.durable(commit)
        if not commit.onward:
            return
        for later in self._legs[1:]:
            count = sum(row.run == later.row.id for row in commit.onward)
            if count and later.feed is not None:
                later.feed.durable(count)

    async def _drive(self, at: int) -> None:
        driver, following = self._stages[at].driver, self._stages[at].following
        if following is None:
            await driver.run()
            if self._leaves_jobs(at):
                why = await left_unfollowed(self._orders.state_dir, self._legs[at].row)
                self._not_at_end = self._not_at_end or why
        elif why := await following.beside(driver.run(), driver.fail):
            self._not_at_end = self._not_at_end or why
        if (later := self._later_feed(at)) is not None:
            later.end()

    # -- stopping and outputs ------------------------------------------------------------------------------------

    def _stopped_by(self, at: int, reason: str) -> None:
        named = self._orders.is_chain and reason != _PAUSED
        self.stop(f"stage `{self._legs[at].resolved.name}`: {reason}" if named else reason)

    def _why_stopped(self) -> str:
        reasons = (self.stop_reason, *(stage.driver.stop_reason for stage in self._stages), self._not_at_end)
        return next((reason for reason in reasons if reason), "")

    def _output_failed(self, error: Exception) -> None:
        if isinstance(error, PluginError):
            self._stages[0].driver.fail(error)
        else:
            self.stop(str(error))

    async def _meanwhile(self) -> None:
        if self._stages[0].course.paused():
            self.stop(_PAUSED)
        for stage in self._stages:
            await stage.driver.flush()


async def _all(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Wait for all; raise what the first of them raised once none is under way. Cancelled, all are broken off."""
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, BaseException):
            raise error
