"""The driver: carries out what planner, retry flows, pacing and stop rules decide. Small, asynchronous, one per run.

Requests leave in windows: a request may be sent once the transaction that holds its intent is durable. Nothing waits
for a commit of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from random import random
from typing import Protocol

import msgspec

from haulier.delivery.judging import History, Judging
from haulier.delivery.pacing import Pacing
from haulier.delivery.retry import Exhausted, Flow, Policy, Send, Settle, Wait, deliver
from haulier.delivery.stopping import StopRules
from haulier.errors import HaulierError, LedgerError, TransportError
from haulier.io.ledger.rows import Commit, Unsettled
from haulier.io.transports.protocol import Transport
from haulier.model.block import Block
from haulier.model.delivery import Stop, Verdict
from haulier.model.parts import Added
from haulier.model.request import Request, Response
from haulier.pipeline.planner import Planned
from haulier.runs.book import Book, Delivered

__all__ = ["Course", "Driver", "Source", "Taken"]

_FLUSH_S = 0.1  # outcomes without a new window wait at most this long for their commit
_WATCH_S = 0.25  # how often a pause is looked for
_MOST_OUTSTANDING_BYTES = 24 << 20


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a block. block: None for requests that had waited for company until the end.

    rebuilt: requests of an earlier sitting, with whether an attempt may have reached the server; parked: those that
    cannot be made again, with the reason.
    """

    block: Block | None
    planned: Planned
    rebuilt: Sequence[tuple[Request, bool]] = ()
    parked: Sequence[tuple[Unsettled, str]] = ()


class Source(Protocol):
    """Where planned requests come from."""

    def taken(self) -> AsyncIterator[Taken]:
        """What comes of each block, in order."""
        ...

    @property
    def idle(self) -> bool:
        """Whether the next ones would have to be waited for."""
        ...

    def held(self) -> int | None:
        """Position of the oldest record not yet in a request."""
        ...


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is to be driven. window: intents committed together; stored: what of a request the ledger keeps."""

    judging: Judging
    policy: Policy
    max_in_flight: int
    interval_s: float
    patience_s: float
    authorize: Callable[[Request], Added]
    stored: Callable[[Request], bytes | None]
    paused: Callable[[], bool]
    window: int = 64
    stop_after: int = 5
    first_rejections: int = 20


class _Delivery:
    """A request on its way: its flow, and what is left of it after a first round."""

    __slots__ = ("exhausted", "flow", "request", "since")

    def __init__(self, request: Request, flow: Flow) -> None:
        self.request = request
        self.flow = flow
        self.since: int | None = None
        self.exhausted: Exhausted | None = None


class Driver:
    """Drives one sitting of a run to its end or to a stop; `stop_reason` says which."""

    def __init__(
        self,
        source: Source,
        book: Book,
        transport: Transport,
        course: Course,
        *,
        write: Callable[[Commit], None],
        settled: Callable[[Delivered], None] | None = None,
        durable: Callable[[Commit], None] | None = None,
    ) -> None:
        self._source = source
        self._book = book
        self._transport = transport
        self._course = course
        self._write = write
        self._settled = settled
        self._on_durable = durable
        self._loop = asyncio.get_running_loop()
        self._pacing = Pacing(interval_s=course.interval_s)
        self._rules = StopRules(stop_after=course.stop_after, first_rejections=course.first_rejections)
        self._history = History()
        self._ready: deque[_Delivery] = deque()
        self._idle: deque[asyncio.Future[_Delivery | None]] = deque()
        self._workers: list[asyncio.Task[None]] = []
        self._active = 0
        self._window: list[_Delivery] = []
        self._uncommitted: deque[tuple[Commit, list[_Delivery]]] = deque()
        self._written = 0
        self._durable_count = 0
        self._outstanding_bytes = 0
        self._room = asyncio.Event()
        self._changed = asyncio.Event()
        self._second: list[_Delivery] = []
        self._provisional: list[tuple[_Delivery, Settle]] = []
        self._pump_at: asyncio.TimerHandle | None = None
        self._flush_at: asyncio.TimerHandle | None = None
        self._waiting: dict[_Delivery, asyncio.TimerHandle] = {}
        self.stop_reason = ""
        self.error: HaulierError | None = None
        self.retried = 0

    # -- from outside --------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Take nothing more in, let what is in flight finish, then end; resumable. Call it in the loop's thread."""
        if not self.stop_reason:
            self.stop_reason = reason
        self._room.set()
        self._changed.set()

    def committed(self, count: int, error: LedgerError | None) -> None:
        """The writer made `count` commits durable since the start. Call it in the loop's thread."""
        if error is not None:
            self.error = error
            self.stop(str(error))
            self._durable_count = self._written
            self._uncommitted.clear()
            return
        while self._uncommitted and self._durable_count < count:
            commit, window = self._uncommitted.popleft()
            self._durable_count += 1
            self._ready.extend(window)
            if self._on_durable is not None:
                self._on_durable(commit)
        self._changed.set()
        self._pump()

    async def run(self) -> None:
        """Drive to the end, or to a stop; all that was decided is durable when this returns, but for an `error`."""
        watch = asyncio.create_task(self._watch())
        try:
            await self._take_in()
            await self._until_settled()
            if not self.stop_reason:
                await self._second_round()
            self._conclude()
        finally:
            watch.cancel()
            await self._end_workers()
        self._commit(always=True)
        await self.all_durable()

    async def flush(self) -> None:
        """Commit what came up since, and wait until it is durable."""
        if self._book.anything_new:
            self._commit()
        await self.all_durable()

    async def all_durable(self) -> None:
        """Wait until every commit so far is durable, or the ledger failed."""
        while self._durable_count < self._written and self.error is None:
            self._changed.clear()
            await self._changed.wait()

    # -- taking in and committing --------------------------------------------------------------------------------

    async def _take_in(self) -> None:
        async for taken in self._source.taken():
            self._book.rejected_unsent(taken.planned.rejected)
            if taken.block is not None:
                self._book.took(taken.block, self._source.held())
            for left, reason in taken.parked:
                self._book.park(left, reason)
            for request, resend in taken.rebuilt:
                self._intend(self._delivery(request, resend=resend))
            for request in taken.planned.requests:
                self._intend(self._delivery(request, resend=False))
            if self._source.idle:
                self._commit()
            await self._until_room()
            if taken.block is not None and taken.block.settled is not None:
                await self._until_quiet(taken.block.settled)
            if self.stop_reason:
                break
        self._commit(always=True)

    def _intend(self, delivery: _Delivery) -> None:
        request = delivery.request
        self._book.intend(request, self._course.stored(request))
        self._outstanding_bytes += request.length
        self._window.append(delivery)
        if len(self._window) >= self._course.window:
            self._commit()

    def _commit(self, *, always: bool = False) -> None:
        """Send the window on to the ledger, with all outcomes so far."""
        if not (always or self._window or self._book.anything_new):
            return
        window, self._window = self._window, []
        commit = self._book.turn()
        self._uncommitted.append((commit, window))
        self._written += 1
        self._write(commit)

    async def _until_room(self) -> None:
        while (
            self._outstanding() > 4 * self._course.window
            or self._outstanding_bytes >= _MOST_OUTSTANDING_BYTES
        ):
            if self.stop_reason:
                return
            if self._window:
                self._commit()
            self._room.clear()
            await self._room.wait()

    def _outstanding(self) -> int:
        """Requests that this round has yet to bring to rest."""
        return self._book.unsettled - len(self._second) - len(self._provisional)

    def _flush_soon(self) -> None:
        if self._flush_at is None:
            self._flush_at = self._loop.call_later(_FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._flush_at = None
        if self._book.anything_new or self._window:
            self._commit()

    async def _until_quiet(self, settled: Callable[[], None]) -> None:
        """A flush: everything before it comes to rest, durably, before anything more is taken in."""
        self._commit(always=True)
        await self._until_settled()
        await self.flush()
        settled()

    async def _until_settled(self) -> None:
        while not self._done():
            if self._book.anything_new:
                self._flush_soon()
            self._changed.clear()
            await self._changed.wait()

    def _done(self) -> bool:
        if self.stop_reason:
            return self._active == 0
        return self._active == 0 and self._outstanding() == 0

    # -- handing out ---------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Hand ready deliveries to workers, as many as pacing and the present limit allow."""
        ready, rules = self._ready, self._rules
        while ready and not self.stop_reason and self._active < rules.in_flight_limit:
            now = self._loop.time()
            wait = self._pacing.wait(now)
            if wait > 0:
                if self._pump_at is None:
                    self._pump_at = self._loop.call_later(wait, self._pump_again)
                return
            self._pacing.started(now)
            self._active += 1
            delivery = ready.popleft()
            if self._idle:
                self._idle.popleft().set_result(delivery)
            else:
                worker = asyncio.create_task(self._work(delivery))
                worker.add_done_callback(self._worker_ended)
                self._workers.append(worker)

    def _pump_again(self) -> None:
        self._pump_at = None
        self._pump()

    async def _work(self, delivery: _Delivery | None) -> None:
        while delivery is not None:
            try:
                await self._carry(delivery)
            finally:
                self._active -= 1
            if self._done():
                self._changed.set()
            if self._room_again():
                self._room.set()
            idle: asyncio.Future[_Delivery | None] = self._loop.create_future()
            self._idle.append(idle)
            self._pump()
            delivery = await idle

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        """A worker ends by itself only where something is wrong with us or a plugin: stop, and raise it at the end."""
        if not worker.cancelled() and worker.exception() is not None:
            self.stop(f"an internal error: {worker.exception()!r}")

    def _room_again(self) -> bool:
        return (
            not self._room.is_set()
            and self._outstanding() < 3 * self._course.window
            and self._outstanding_bytes < _MOST_OUTSTANDING_BYTES
        )

    async def _end_workers(self) -> None:
        for handle in (self._pump_at, self._flush_at, *self._waiting.values()):
            if handle is not None:
                handle.cancel()
        for idle in self._idle:
            if not idle.done():
                idle.set_result(None)
        self._idle.clear()
        await asyncio.gather(*self._workers)

    async def _watch(self) -> None:
        while not self.stop_reason:
            if self._course.paused():
                self.stop("the destination was paused; activate it and run again to go on")
            await asyncio.sleep(_WATCH_S)

    # -- one delivery --------------------------------------------------------------------------------------------

    def _delivery(self, request: Request, *, resend: bool) -> _Delivery:
        course = self._course
        return _Delivery(
            request, deliver(request, course.judging, course.policy, self._history, random, resend=resend)
        )

    async def _carry(self, delivery: _Delivery) -> None:
        """Follow a delivery's flow until it settles, or has to wait."""
        request, course = delivery.request, self._course
        reply: Response | TransportError | None = None
        wish = delivery.flow.send(None)
        while True:
            if isinstance(wish, Send):
                if wish.number > 1:
                    self.retried += 1
                try:
                    reply = await self._transport.send(request, course.authorize(request))
                except TransportError as error:
                    reply = error
            elif isinstance(wish, Settle):
                self._settle(delivery, wish)
                return
            elif isinstance(wish, Wait):
                self._wait(delivery, wish)
                return
            else:
                self._exhausted(delivery, wish)
                return
            wish = delivery.flow.send(reply)

    def _wait(self, delivery: _Delivery, wish: Wait) -> None:
        if wish.asked:
            if wish.seconds > self._course.patience_s:
                self.stop(
                    f"{wish.reason}; it asks to come back in {wish.seconds:,.0f} s, "
                    f"which is more than `limits.patience_s` ({self._course.patience_s:,.0f} s)"
                )
                return
            self._pacing.asked(self._loop.time(), wish.seconds)
        self._waiting[delivery] = self._loop.call_later(wish.seconds, self._back, delivery)

    def _back(self, delivery: _Delivery) -> None:
        del self._waiting[delivery]
        self._ready.appendleft(delivery)
        self._pump()

    def _settle(self, delivery: _Delivery, wish: Settle) -> None:
        verdict = wish.verdict
        if isinstance(verdict, Stop):
            status = wish.response.status if wish.response else None
            self._book.put_back(delivery.request, verdict.reason, wish.attempts, status)
            self.stop(verdict.reason)
            return
        status = wish.response.status if wish.response is not None else 0
        self._history.forbidden = self._history.forbidden + 1 if status == 403 else 0
        if verdict.kind in ("delivered", "accepted"):
            self._success()
        elif verdict.kind == "rejected":
            why = self._rules.rejection(verdict.reason)
            if not self._rules.successes:
                self._provisional.append((delivery, wish))
                self._book.put_back(delivery.request, verdict.reason, wish.attempts, status)
                if why:
                    self.stop(why)
                return
        self._finish(delivery, verdict, wish.attempts, wish.response)

    def _success(self) -> None:
        self._history.succeeded += 1
        self._rules.success(self._course.max_in_flight)
        if self._provisional:
            self._settle_provisional()

    def _settle_provisional(self) -> None:
        provisional, self._provisional = self._provisional, []
        for delivery, wish in provisional:
            assert isinstance(wish.verdict, Verdict)
            self._finish(delivery, wish.verdict, 0, wish.response)

    def _finish(
        self, delivery: _Delivery, verdict: Verdict, attempts: int, response: Response | None
    ) -> None:
        told = self._book.settle(delivery.request, verdict, attempts, response)
        self._outstanding_bytes -= delivery.request.length
        if self._settled is not None:
            self._settled(told)
        if self._flush_at is None:
            self._flush_soon()

    def _exhausted(self, delivery: _Delivery, wish: Exhausted) -> None:
        again = delivery.since is not None
        why = self._rules.exhausted(wish.reason, again=again, since=delivery.since or 0)
        status = wish.response.status if wish.response is not None else None
        if why or not again:
            self._book.put_back(delivery.request, wish.reason, wish.attempts, status)
        if why:
            self.stop(why)
        elif again:
            verdict = Verdict("rejected" if wish.answered else "unknown", f"retries exhausted: {wish.reason}")
            self._finish(delivery, verdict, wish.attempts, wish.response)
        else:
            delivery.since, delivery.exhausted = self._rules.successes, wish
            self._outstanding_bytes -= delivery.request.length
            self._second.append(delivery)

    # -- the end -------------------------------------------------------------------------------------------------

    async def _second_round(self) -> None:
        """Deliveries that spent their attempts are tried once more, after all others."""
        second, self._second = self._second, []
        for delivery in second:
            exhausted = delivery.exhausted
            assert exhausted is not None
            again = self._delivery(delivery.request, resend=exhausted.resend)
            again.since = delivery.since
            self._intend(again)
        if second:
            self._commit()
            await self._until_settled()

    def _conclude(self) -> None:
        """Rejections that were provisional until now count, unless the run was stopped; the rest is pending again."""
        if not self.stop_reason:
            self._settle_provisional()
            return
        uncommitted = (delivery for _, window in self._uncommitted for delivery in window)
        for delivery in (*self._ready, *self._waiting, *uncommitted, *self._window):
            self._book.put_back(delivery.request, "", 0, None)
