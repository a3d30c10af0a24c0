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
) -> Done:
    """Send so many requests until each was taken, as driver and crew do."""
    chance = random.Random(seed)
    pacing, done = Pacing(pace), Done()
    now, allowed, numbers = 0.0, 1, count()
    ready, tries = deque(range(requests)), Counter[int]()
    events: list[tuple[float, int, int, float, Response | None]] = []
    left = requests
    while left and now < until_s:
        while ready and pacing.in_flight < min(allowed, pacing.limit) and pacing.wait(now) <= 0:
            number = ready.popleft()
            pacing.started(now)
            done.starts.append(now)
            arrives = now + 0.005 + chance.uniform(0, 0.002)
            reply = service(arrives)
            takes_s = latency_s * chance.uniform(0.9, 1.1) if reply.status == 200 else 0.001
            heapq.heappush(events, (arrives + takes_s + 0.005, next(numbers), number, now, reply))
        wakes = now + pacing.wait(now) if ready and pacing.in_flight < min(allowed, pacing.limit) else None
        if wakes is not None:
            done.stopped = pacing.hopeless(now)
            if done.stopped:
                break
            if not events or wakes < events[0][0]:
                now = wakes + chance.uniform(0, 0.001)  # no timer is on time
                continue
        now, _, number, began, reply = heapq.heappop(events)
        if reply is None:
            ready.appendleft(number)
            continue
        pacing.answered(began, now, reply)
        done.statuses[reply.status] += 1
        done.answered.append(now)
        if reply.status == 200:
            left -= 1
            allowed = 1000 if pace.told and not done.refused else min(1000, allowed * 2)
            continue
        done.refused.append(now)
        tries[number] += 1
        wait_s = retry_after(reply)
        if wait_s:
            pacing.asked(now, wait_s)
        else:
            wait_s = min(pace.cap_s, pace.base_s * 2.0 ** (tries[number] - 1)) * chance.random()
        heapq.heappush(events, (now + wait_s, next(numbers), number, 0.0, None))
    # What is in flight where the run stops is waited for.
    done.statuses.update(reply.status for *_, reply in events if reply is not None)
    done.seconds, done.most_tries = now, max(tries.values(), default=0)
    return done
