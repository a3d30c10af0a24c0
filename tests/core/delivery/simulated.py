"""Services under a virtual clock, and a loop that sends to them as a run does: paced, tried again, in flight."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from haulier.delivery.judging import retry_after
from haulier.delivery.pacing import Pace, Pacing
from haulier.delivery.stopping import StopRules
from haulier.model.request import Header, Response

WALL = 1_790_000_000.0


class Service(Protocol):
    """Answers a request that arrives; for how long that takes, see `latency`."""

    def __call__(self, now: float) -> Response: ...


def answer(status: int = 200, *headers: Header) -> Response:
    return Response(status=status, headers=headers)


@dataclass
class SlidingWindow:
    """So many in any stretch of that length, as most log-based limiters grant."""

    most: int
    length_s: float = 1.0
    headers: tuple[Header, ...] = ()
    _admitted: deque[float] = field(default_factory=deque)

    def __call__(self, now: float) -> Response:
        while self._admitted and self._admitted[0] <= now - self.length_s:
            self._admitted.popleft()
        if len(self._admitted) >= self.most:
            return answer(429, *self.headers)
        self._admitted.append(now)
        return answer()


@dataclass
class FixedWindow:
    """So many in each window; tells of what is left where `tell` says how."""

    most: int
    length_s: float = 1.0
    begins_s: float = 0.37
    headers: tuple[Header, ...] = ()
    tell: Callable[[int, int, float], tuple[Header, ...]] | None = None
    _window: int = -1
    _used: int = 0

    def __call__(self, now: float) -> Response:
        window, into = divmod(now + self.begins_s, self.length_s)
        if window != self._window:
            self._window, self._used = int(window), 0
        refused = self._used >= self.most
        if not refused:
            self._used += 1
        told = self.tell(self.most, self.most - self._used, self.length_s - into) if self.tell else ()
        return answer(429, *self.headers, *told) if refused else answer(200, *told)


@dataclass
class TokenBucket:
    """So many a second on the average, and at once as many as the bucket holds."""

    per_second: float
    holds: float
    headers: tuple[Header, ...] = ()
    _left: float | None = None
    _at: float = 0.0

    def __call__(self, now: float) -> Response:
        left = self.holds if self._left is None else self._left
        left = min(self.holds, left + (now - self._at) * self.per_second)
        self._at, self._left = now, left
        if left < 1:
            return answer(429, *self.headers)
        self._left = left - 1
        return answer()


def partly_used(service: Service, used: int) -> Service:
    """A service of which somebody else has just had so much."""
    for _ in range(used):
        service(-0.001)
    return service


@dataclass
class Done:
    """What came of it. starts: when each attempt started; refused: when one came back with 429."""

    seconds: float = 0.0
    starts: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refused: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    most_tries: int = 0
    stopped: str = ""

    @property
    def until_refused_s(self) -> float:
        """Until the first refusal."""
        return self.refused[0] if self.refused else self.seconds

    def refused_after(self, seconds: float) -> float:
        """The share of attempts answered after that which were refused."""
        return sum(at > seconds for at in self.refused) / max(1, sum(at > seconds for at in self.answered))


def carry(
    service: Service,
    requests: int,
    pace: Pace,
    *,
    latency_s: float = 0.02,
    seed: int = 1,
    until_s: float = 10_000.0,
    varies: float = 0.1,
    way_s: float = 0.005,
    rules: StopRules | None = None,
) -> Done:
    """Send so many requests until each was taken, as driver and crew do.

    varies: the share by which answer times differ. way_s: to the service, and back. rules: a crew's: as soon as five
    attempts failed one delivery asks for all others, unless pacing does. None: pacing is alone.
    """
    return _Crew(service, requests, pace, latency_s, varies, way_s, random.Random(seed), rules).carry(until_s)


class _Crew:
    """What a driver and its crew do with one pacing, in virtual time."""

    def __init__(
        self,
        service: Service,
        requests: int,
        pace: Pace,
        latency_s: float,
        varies: float,
        way_s: float,
        chance: random.Random,
        rules: StopRules | None,
    ) -> None:
        self._service, self._pace, self._latency_s, self._varies = service, pace, latency_s, varies
        self._way_s = way_s
        self._chance, self._rules = chance, rules
        self._pacing, self._done = Pacing(pace), Done()
        self._allowed, self._left = 1, requests
        self._numbers = count()
        self._ready, self._tries = deque(range(requests)), Counter[int]()
        self._waiting: dict[int, float] = {}
        self._probe: int | None = None
        self._events: list[tuple[float, int, int, float, Response | None]] = []

    def carry(self, until_s: float) -> Done:
        now, pacing, done = 0.0, self._pacing, self._done
        while self._left and now < until_s:
            while (number := self._next(now)) is not None:
                self._start(number, now)
            wakes = now + pacing.wait(now) if self._has_room() else now
            if wakes > now:
                done.stopped = pacing.hopeless(now)
                if done.stopped:
                    break
                if not self._events or wakes < self._events[0][0]:
                    now = wakes + self._chance.uniform(0, 0.001)  # no timer is on time
                    continue
            now, _, number, began, reply = heapq.heappop(self._events)
            if reply is None:
                del self._waiting[number]
                self._ready.appendleft(number)
            else:
                self._answered(number, began, now, reply)
        # What is in flight where the run stops is waited for.
        done.statuses.update(reply.status for *_, reply in self._events if reply is not None)
        done.seconds, done.most_tries = now, max(self._tries.values(), default=0)
        return done

    def _has_room(self) -> bool:
        rules = self._rules
        allowed = self._allowed if rules is None else rules.in_flight_limit
        if not self._ready or self._pacing.in_flight >= min(allowed, self._pacing.limit):
            return False
        return (
            rules is None
            or not self._probing
            or (not self._pacing.in_flight and self._to_probe() is not None)
        )

    @property
    def _probing(self) -> bool:
        return self._rules is not None and self._rules.probing and not self._pacing.asks

    def _next(self, now: float) -> int | None:
        """The one that starts now."""
        if not self._has_room() or self._pacing.wait(now) > 0:
            return None
        if self._probing:
            number = self._to_probe()
            assert number is not None
            self._ready.remove(number)
            return number
        self._probe = None
        return self._ready.popleft()

    def _to_probe(self) -> int | None:
        """As the crew's: the one that asks for all others; None where it waits."""
        if self._probe is None or (self._probe not in self._waiting and self._probe not in self._ready):
            begun = (number for number in self._ready if self._tries[number])
            first = min(self._waiting, key=lambda number: self._waiting[number], default=self._ready[0])
            self._probe = next(begun, first)
        return None if self._probe in self._waiting else self._probe

    def _start(self, number: int, now: float) -> None:
        self._pacing.started(now)
        self._done.starts.append(now)
        arrives = now + self._way_s * self._chance.uniform(1, 1.4)
        reply = self._service(arrives)
        varies = self._chance.uniform(1 - self._varies, 1 + self._varies)
        takes_s = self._latency_s * varies if reply.status == 200 else 0.001
        heapq.heappush(
            self._events, (arrives + takes_s + self._way_s, next(self._numbers), number, now, reply)
        )

    def _answered(self, number: int, began: float, now: float, reply: Response) -> None:
        pace, done, rules = self._pace, self._done, self._rules
        in_flight = self._pacing.in_flight
        self._pacing.answered(began, now, reply)
        done.statuses[reply.status] += 1
        done.answered.append(now)
        if reply.status == 200:
            self._left -= 1
            self._allowed = 1000 if pace.told and not done.refused else min(1000, self._allowed * 2)
            if rules is not None:
                rules.success(pace.most_in_flight, began=began)
            return
        done.refused.append(now)
        self._tries[number] += 1
        if rules is not None:
            rules.failure(began, in_flight)
        wait_s = retry_after(reply)
        if wait_s:
            self._pacing.asked(now, wait_s)
        else:
            wait_s = min(pace.cap_s, pace.base_s * 2.0 ** (self._tries[number] - 1)) * self._chance.random()
        self._waiting[number] = now + wait_s
        heapq.heappush(self._events, (now + wait_s, next(self._numbers), number, 0.0, None))
