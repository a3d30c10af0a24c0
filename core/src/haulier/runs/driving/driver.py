"""The driver: carries out what planner, retry flows, pacing and stop rules decide. Small, asynchronous, one per run.

Requests leave in windows: a request may be sent once the transaction that holds its intent is durable. Nothing waits
for a commit of its own, but a request for the outcome of the one that is before it in its order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from haulier.errors import InputError, LedgerError
from haulier.io.ledger.rows import Commit
from haulier.io.transports.protocol import Transport
from haulier.model.block import Block
from haulier.runs.driving.book import Book
from haulier.runs.driving.carrying import Carrier
from haulier.runs.driving.course import Course, Source, Taken
from haulier.runs.driving.crew import Crew
from haulier.runs.driving.delivered import Delivered
from haulier.runs.driving.delivery import Delivery
from haulier.runs.driving.joint import Place
from haulier.runs.driving.under_way import UnderWay
from haulier.runs.driving.windows import Windows
from haulier.runs.driving.wishes import Wishes
from haulier.runs.inputs.filing import FilesOutOfReach

__all__ = ["Driver"]

_WATCH_S = 0.25  # how often a pause is looked for
_HEAD_START_S = 0.005  # in which a first connection stands, where the server is near


class Driver:
    """Drives one sitting of a run to its end or to a stop; `stop_reason` says which.

    place: of the stage. write: takes a commit to the ledger. stopped: told of a stop. settled: told of each request
    that came to rest. durable: told of each commit that is durable.

    Made inside the running loop; all methods belong to its thread.
    """

    def __init__(
        self,
        source: Source,
        book: Book,
        transport: Transport,
        course: Course,
        place: Place,
        *,
        write: Callable[[Commit], None],
        stopped: Callable[[str], None] | None = None,
        settled: Callable[[Delivered], None] | None = None,
        durable: Callable[[Commit], None] | None = None,
    ) -> None:
        self._source = source
        self._book = book
        self._course = course
        self._place = place
        self._stopped = stopped
        self._on_durable = durable
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.Handle | None = None
        self._begun = False
        self.stop_reason = ""
        self.error: BaseException | None = None

        stage = self._stage = UnderWay(book, course, stop=self.stop)
        self._windows = Windows(book, course, write=write, outstanding=self._outstanding)
        self._crew = Crew(stage.rules, place, rested=self._rested, failed=self.fail, hopeless=self.stop)
        wishes = Wishes(
            stage,
            source,
            self._crew,
            self._windows,
            unproven=place.unproven,
            settled=settled,
            changed=self._rested,
        )
        self._settling, self._second = wishes.settling, wishes.second
        self._carrier = Carrier(
            transport, stage, place.joint.pacing, wishes, ended=self._crew.ended, failed=self.fail
        )
        self._crew.carry_with(self._carrier)
        place.depth.join(self._crew, self)

    # -- from outside --------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Take nothing more in, let what is in flight finish, then end; resumable."""
        told = not self.stop_reason
        self.stop_reason = self.stop_reason or reason
        if told and self._stopped is not None:
            self._stopped(reason)
        self._crew.stop()
        self._stopping.set()
        self._windows.let_go()
        self._changed.set()

    @property
    def lag(self) -> int:
        """Requests that are ready to leave or soon will be, as far as records have come."""
        coming = self._place.coming() if self._place.coming is not None else 0
        return coming + self._windows.on_the_way + self._crew.ready

    def committed(self, count: int, error: LedgerError | None) -> None:
        """The writer made `count` commits durable since the start, or failed for good."""
        if error is not None:
            self.fail(error)
            return
        for commit, window in self._windows.durable(count):
            self._crew.add(window)
            if self._on_durable is not None:
                self._on_durable(commit)
        self._changed.set()

    async def run(self) -> None:
        """Drive to the end, or to a stop; all that was decided is durable then.

        Raises what the input's iterator, a plugin or the ledger raised, after what was in flight has come to rest.
        Cancelled, it breaks off at once, as a crash would.
        """
        watches = [asyncio.create_task(one) for one in (self._watch(), self._carrier.watch())]
        at_once = False
        try:
            ended_early = await self._take_all_in()
            await self._until_settled()
            if ended_early:
                # Later stages carry what was read to its end.
                self._stopped = None
                self.stop(ended_early)
            await self._second_round()
        except asyncio.CancelledError:
            at_once = True
            raise
        finally:
            watches[0].cancel()
            self._windows.close()
            try:
                await self._crew.end(at_once=at_once)
            finally:
                self._carrier.drop()  # there is something only where it was broken off
                if self._looking is not None:
                    self._looking.cancel()
                watches[1].cancel()
        self._conclude()
        self._windows.commit(always=True)
        await self._all_durable()
        if self.error is not None:
            raise self.error

    async def flush(self, *, last: bool = False) -> None:
        """Commit what came up since, and wait until it is durable; at last, raise what went wrong meanwhile."""
        if self._book.anything_new:
            self._windows.commit()
        await self._all_durable()
        if last and self.error is not None:
            raise self.error

    def fail(self, error: BaseException) -> None:
        """Something is wrong with a plugin, the ledger or us: stop, and raise it at the end."""
        self.error = self.error or error
        self.stop(f"{type(error).__name__}: {error}")

    # -- taking in and committing --------------------------------------------------------------------------------

    async def _take_all_in(self) -> str:
        """Take the input in to its end or to a stop; why it ended before its end, or an empty text."""
        taking = asyncio.create_task(self._take_in())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((taking, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                taking.cancel()
            await taking
        except asyncio.CancelledError:
            if not self.stop_reason:
                raise
        except InputError as error:
            why = str(error)
            if not isinstance(error, FilesOutOfReach):
                why += f"; mended, it goes on under the run key {self._course.run_key}"
            if self._place.at == 0:
                return why  # what was read stands, and goes out
            self.stop(why)  # nothing takes what the stage before makes
        except Exception as error:  # noqa: BLE001 - a caller's iterator or a plugin: raised again at the end
            self.fail(error)
        finally:
            taking.cancel()
            stopping.cancel()
            self._windows.commit(always=True)
        return ""

    async def _take_in(self) -> None:
        async for taken in self._source.taken():
            self._take(taken)
            self._place.depth.pump()
            await self._windows.until_room()
            if self._crew.active and not self._begun:
                await self._first_leaves()
            if taken.block is not None and taken.block.settled is not None:
                await self._until_quiet(taken.block.settled)

    async def _first_leaves(self) -> None:
        """Give the first request a moment to leave, before what is planned meanwhile takes the loop from it."""
        self._begun = True
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEAD_START_S):
                await self._changed.wait()

    def _take(self, taken: Taken) -> None:
        if taken.block is not None and (why := self._unfit(taken.block)):
            self.stop(why)  # first: what is intended from here on waits for a sitting that sends it
        if taken.taken_apart:
            self._book.take_apart(taken.taken_apart)
        self._settling.unsent(taken.planned.rejected)
        if taken.block is not None:
            self._book.took(taken.block, self._source.held(), taken.planned.requests)
        else:
            self._book.expect(*taken.planned.requests)
        for parked in taken.parked:
            self._book.park(parked.left, parked.reason, parked.texts)
        for request, came_to in taken.rebuilt:
            self._book.expect(request)
            self._windows.intend_again(Delivery(request, before=came_to))
        self._windows.intend([Delivery(request) for request in taken.planned.requests])
        if self._source.idle or self._book.keeps_much:
            self._windows.commit()

    def _unfit(self, block: Block) -> str:
        look = self._course.unfit
        return look(block) if look is not None and not self._book.delivered_before else ""

    def _outstanding(self) -> int:
        """Requests that this round has yet to bring to rest."""
        return self._book.unsettled - len(self._second.waiting) - self._settling.provisional

    async def _until_quiet(self, settled: Callable[[], None]) -> None:
        """A flush: everything before it comes to rest, durably, before anything more is taken in."""
        self._windows.commit(always=True)
        await self._until_settled()
        await self.flush()
        if self._place.quiet is not None:
            await self._place.quiet()
        settled()

    async def _until_settled(self) -> None:
        while self._crew.active or (self._outstanding() and not self.stop_reason):
            self._changed.clear()
            await self._changed.wait()

    async def _all_durable(self) -> None:
        while not self._windows.all_durable and self.error is None:
            self._changed.clear()
            await self._changed.wait()

    async def _watch(self) -> None:
        while not self.stop_reason:
            if self._course.paused():
                self.stop("the destination was paused; activate it and run again to go on")
            await asyncio.sleep(_WATCH_S)

    def _rested(self) -> None:
        """Something came to rest, or waits: what follows of it is looked for once a turn of the loop."""
        if self._looking is None:
            self._looking = self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = None
        self._changed.set()
        try:
            if not self.stop_reason:
                self._windows.go_on()
            self._windows.look_for_room()
        except Exception as error:  # noqa: BLE001 - called from the loop, where nobody would hear of it
            self.fail(error)

    # -- the end -------------------------------------------------------------------------------------------------

    async def _second_round(self) -> None:
        """Deliveries that spent their attempts are tried once more, after all others.

        Parts that one of them left have such a round of their own: each time there are fewer records.
        """
        while not self.stop_reason and self._second.begin():
            await self._until_settled()

    def _conclude(self) -> None:
        """Rejections that were provisional until now count, unless the run was stopped; the rest is pending again."""
        if not self.stop_reason and (why := self._settling.none_made()):
            self.stop(why)
        if not self.stop_reason:
            self._settling.settle_provisional()
            return
        for delivery in (*self._crew.left(), *self._windows.left(), *self._settling.let_go()):
            self._stage.put_back(delivery, "")
