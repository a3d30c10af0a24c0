"""The crew: hands ready deliveries to workers, as many at once and as soon as limit and pacing allow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

from haulier.delivery.stopping import StopRules
from haulier.runs.driving.delivery import Delivery
from haulier.runs.driving.joint import Place

__all__ = ["Crew"]


class _Carrier(Protocol):
    """Makes attempts. carry: follows a delivery until it settles or waits. begin: whether it does so without a worker;
    then `ended` is called afterwards.
    """

    async def carry(self, delivery: Delivery) -> None: ...

    def begin(self, delivery: Delivery) -> bool: ...


class Crew:
    """Workers are made as they are needed and kept; all calls belong to the loop's thread.

    rules: how many may be under way now, and whether the service seems to be down: then one delivery goes through all
    its attempts before another one leaves, unless all it answers is 429: then pacing asks. place: of the stage; whether
    later ones go first. rested: called when a worker has no delivery any more. failed: called with what a worker
    raised, which ends that worker. hopeless: called with why it is of no use to wait for the service.
    """

    def __init__(
        self,
        rules: StopRules,
        place: Place,
        *,
        rested: Callable[[], None],
        failed: Callable[[BaseException], None],
        hopeless: Callable[[str], None],
    ) -> None:
        self._rules = rules
        self._probe: Delivery | None = None
        self._joint = place.joint
        self._pacing = place.joint.pacing
        self._share = place.joint.share
        self._held = partial(place.depth.held, place.at)
        self._is_held_up = not place.depth.is_last(place.at)
        self._changed = place.depth.pump
        self._rested = rested
        self._failed = failed
        self._hopeless = hopeless
        self._loop = asyncio.get_running_loop()
        self._ready: deque[Delivery] = deque()
        self._waiting: dict[Delivery, asyncio.TimerHandle] = {}
        self._idle: deque[asyncio.Future[Delivery | None]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._pump_at: asyncio.TimerHandle | None = None
        self._stopped = False
        self._unattended = 0  # under way without a worker
        self._all_ended = asyncio.Event()
        self.active = 0

    def carry_with(self, carrier: _Carrier) -> None:
        """To be called once, before anything is added. What a carrier tells ends at its crew: so that is made first."""
        self._carry, self._begin = carrier.carry, carrier.begin

    @property
    def ready(self) -> int:
        """Deliveries that could leave now but for limits."""
        return len(self._ready)

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """These may leave from now on, in this order."""
        self._ready.extend(deliveries)
        self.pump()

    def later(self, delivery: Delivery, seconds: float) -> None:
        """This one comes back after a while, before those that have not begun."""
        # uvloop makes a wait below a millisecond a handle that does not tell when it is due.
        self._waiting[delivery] = self._loop.call_later(max(seconds, 0.001), self._back, delivery)

    def asked(self, wait_s: float) -> None:
        """The service asked to be left alone for so long."""
        now = self._loop.time()
        self._pacing.asked(now, wait_s)
        if self._pacing.shared_interval_s(now):
            self._share.asked(wait_s)

    def stop(self) -> None:
        """Hand out nothing more; what is under way goes on."""
        self._stopped = True

    def left(self) -> Iterator[Delivery]:
        """Deliveries that are not under way: ready ones and waiting ones."""
        yield from self._ready
        yield from self._waiting

    async def end(self, *, at_once: bool = False) -> None:
        """Wait until every worker has ended; at_once: break off what is under way."""
        self._stopped = True
        for handle in (self._pump_at, *self._waiting.values()):
            if handle is not None:
                handle.cancel()
        for idle in self._idle:
            if not idle.done():
                idle.set_result(None)
        if at_once:
            for worker in self._workers:
                worker.cancel()
        waiting: list[Awaitable[object]] = [*self._workers]
        if self._unattended and not at_once:
            waiting.append(self._all_ended.wait())
        await asyncio.gather(*waiting, return_exceptions=True)

    def ended(self, count: int) -> None:
        """So many that were begun without a worker have come to rest, or wait."""
        self._unattended -= count
        self.active -= count
        self._joint.active -= count
        self._rested()
        if not self._stopped:
            self._changed()
        elif not self._unattended:
            self._all_ended.set()

    def pump(self) -> None:
        """Hand out what may leave now; what goes wrong in doing so ends the run instead of leaving it waiting."""
        try:
            self._hand_out()
        except Exception as error:  # noqa: BLE001 - called from timers, where nobody would hear of it
            self._failed(error)

    def _room(self, now: float) -> int:
        """How many of those that are ready may leave, one right behind the other."""
        pacing, joint, rules = self._pacing, self._joint, self._rules
        room = min(rules.in_flight_limit - self.active, pacing.limit - joint.active, len(self._ready))
        if room <= 0 or self._stopped or joint.wanted or self._held():
            return 0
        wait = pacing.wait(now)
        if wait > 0:
            if why := pacing.hopeless(now):
                self._hopeless(why)
            else:
                self._pump_in(wait, now)
            return 0
        # What follows of a start is looked at behind each, where anything does.
        return 1 if pacing.paced or rules.probing or self._is_held_up else room

    def _start(self, now: float) -> Delivery | None:
        """The next delivery, where there is room, counted as under way; None where it has to wait all the same."""
        pacing = self._pacing
        delivery: Delivery | None
        if self._rules.probing and not pacing.asks:
            delivery = self._to_probe()
            if delivery is None:
                return None
        else:
            self._probe = None
            delivery = self._ready.popleft()
        if not delivery.waits_first:  # nothing leaves, so no answer would tell pacing of a start
            if pacing.paced and (wait := self._turn(now)) > 0:
                self._ready.appendleft(delivery)
                self._pump_in(wait, now)
                return None
            pacing.started(now)
        self.active += 1
        self._joint.active += 1
        return delivery

    def _start_next(self) -> Delivery | None:
        """Start what may leave now, up to the first that needs a worker."""
        now = self._loop.time()
        while room := self._room(now):
            for _ in range(room):
                delivery = self._start(now)
                if delivery is None or not self._begin(delivery):
                    return delivery
                self._unattended += 1
        return None

    def _hand_out(self) -> None:
        while (delivery := self._start_next()) is not None:
            if self._idle:
                self._idle.popleft().set_result(delivery)
            else:
                worker = asyncio.create_task(self._work(delivery))
                self._workers.add(worker)
                worker.add_done_callback(self._ended)

    def _turn(self, now: float) -> float:
        """Take a turn in the shared limit; the seconds after which to ask again where it is not ours."""
        interval_s = self._pacing.shared_interval_s(now)
        return self._share.turn(interval_s) if interval_s else 0.0

    def _pump_in(self, seconds: float, now: float) -> None:
        """Look again after a while. A time that was agreed on before gives way to an earlier one."""
        if self._pump_at is not None:
            if self._pump_at.when() <= now + seconds + 0.001:
                return
            self._pump_at.cancel()
        # As in `later`: below a millisecond uvloop's handle does not tell when it is due.
        self._pump_at = self._loop.call_later(max(seconds, 0.001), self._pump_again)

    def _to_probe(self) -> Delivery | None:
        """The one that finds out whether the service is back, alone; None while it is under way or waits."""
        if self.active:
            return None
        if self._probe not in self._waiting and self._probe not in self._ready:
            begun = (delivery for delivery in self._ready if delivery.tries)
            self._probe = next(begun, None) or min(self._waiting, key=self._due, default=self._ready[0])
        if self._probe is None or self._probe in self._waiting:
            return None
        self._ready.remove(self._probe)
        return self._probe

    def _due(self, delivery: Delivery) -> float:
        return self._waiting[delivery].when()

    def _pump_again(self) -> None:
        self._pump_at = None
        self._changed()

    def _back(self, delivery: Delivery) -> None:
        del self._waiting[delivery]
        self._ready.appendleft(delivery)
        self.pump()

    async def _work(self, delivery: Delivery | None) -> None:
        task = asyncio.current_task()
        while delivery is not None:
            delivery.task = task
            try:
                await self._carry(delivery)
            finally:
                self.active -= 1
                self._joint.active -= 1
            self._rested()
            if self._stopped:
                return
            # Straight on with the next one: to be handed it by way of a future costs a turn of the loop.
            delivery = self._start_next()
            if delivery is not None:
                self._changed()
                continue
            idle: asyncio.Future[Delivery | None] = self._loop.create_future()
            self._idle.append(idle)
            self._changed()
            delivery = await idle

    def _ended(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            self._failed(error)
