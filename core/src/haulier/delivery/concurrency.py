"""How many requests may be in flight: what a service bears, found from its throughput, latency and failures.

Half as many more each round of answers, until the latency says that requests wait for each other; then slowly up and
a fifth down. A fall that costs throughput was wrong: then that latency is what this service takes for so many, and
counts as usual from then on. It is what congestion control by delay does for a network:
https://www.rfc-editor.org/rfc/rfc6817 (LEDBAT).
"""

from __future__ import annotations

from math import sqrt

import msgspec

__all__ = ["Concurrency"]

_QUICK_ROUND, _ROUND = 8, 24  # answers a round has at least
_LONGEST = 8  # rounds that one may last where latencies vary much
_TOLERANCE = 1.2  # a latency so much above the usual one is that of a queue
_SURE = 2.0  # standard errors
_UNREMARKABLE_S = 0.01  # shorter latencies say more of our own machine than of the service
_FALL = 0.8
_FAILURE_FALL = 0.7
_FEW, _SMALL = 5, 0.03  # failures of a round, and their share, that say nothing yet
_NEAR = 0.9
_MOST_CALM = 64


class _Round(msgspec.Struct, gc=False):
    """Answers while so many were allowed. The first ones are left out (`skip`), as they began before.

    Who began before is not asked, as that would leave out the answers that take longest.
    """

    limit: int
    skip: int
    whole: int
    count: int = 0
    failures: int = 0
    in_flight: int = 0
    sum_s: float = 0.0
    squares: float = 0.0

    def add(self, took_s: float, in_flight: int) -> bool:
        """Count an answer; whether the round is whole."""
        if self.skip > 0:
            self.skip -= 1
            return False
        self.count += 1
        self.in_flight += in_flight
        self.sum_s += took_s
        self.squares += took_s * took_s
        return self.count + self.failures >= self.whole

    def fail(self) -> bool:
        """Count a failure; whether the round is whole, or most of it failed."""
        if self.skip > 0:
            self.skip -= 1
            return False
        self.failures += 1
        return self.count + self.failures >= self.whole or self.failures >= max(_QUICK_ROUND, self.count)

    @property
    def busy(self) -> bool:
        """Whether as many as allowed were in flight; else something else held the run back."""
        return self.in_flight >= 0.8 * self.limit * self.count

    @property
    def failing(self) -> float:
        """The share of attempts that failed."""
        return self.failures / (self.count + self.failures)

    @property
    def latency_s(self) -> float:
        return max(self.sum_s / self.count, 1e-6)

    @property
    def error_s(self) -> float:
        """The standard error of the latency."""
        variance = max(0.0, self.squares / self.count - self.latency_s**2)
        return sqrt(variance / self.count)

    @property
    def throughput(self) -> float:
        """Answers a second (Little's law)."""
        return self.in_flight / self.count / self.latency_s

    def above(self, latency_s: float) -> bool | None:
        """Whether the latency is above that; None where that is not sure."""
        found = self.latency_s
        if found <= latency_s:
            return False
        return True if found - latency_s > _SURE * self.error_s else None


class Concurrency(msgspec.Struct, gc=False, kw_only=True):
    """most: never more than these. told: a person said so, hence only failures lower it, no latency. first: how many to
    begin with.
    """

    most: int
    told: bool = False
    first: int = 4
    _limit: float = 0.0
    _ceiling: float = 0.0  # what proved too many; below it the rise is quick
    _usual_s: float = 0.0  # latency without a queue
    _usual_failing: float = 0.0  # the share of failures that does not come of the number in flight
    _round: _Round = msgspec.field(default_factory=lambda: _Round(0, 0, 0))
    _fallen: _Round | None = None  # the round before the last fall, until that is judged
    _calm: int = 1  # rounds between two rises, near the ceiling
    _rounds: int = 0  # since the last rise
    _step: float = 1.0
    _falling: bool = False  # nothing has been well since the last fall

    def __post_init__(self) -> None:
        self._limit = self.most if self.told else min(self.most, self.first)
        self._ceiling = self.most
        self._next_round()

    @property
    def limit(self) -> int:
        """How many may be in flight now, at least 1."""
        return int(self._limit)

    def answered(self, began: float, now: float, in_flight: int) -> None:
        """An answer came that is no failure. in_flight: how many there were, this one included."""
        if self._round.add(now - began, in_flight):
            self._end_round(self._round)

    def failed(self) -> None:
        """A 503, or no answer in time: the service may be overloaded."""
        if self._round.fail():
            self._end_round(self._round)

    def _end_round(self, this: _Round) -> None:
        if not this.busy:
            self._next_round()
        elif self._fallen is not None:
            self._judge_fall(this, self._fallen)
        elif this.failing > 2 * self._usual_failing + _SMALL and self._limit > 1:
            if this.failures >= _FEW:
                self._fall(this, _FAILURE_FALL)
            elif this.count < _LONGEST * _ROUND:
                # Not yet sure; a rise would be answered by more of them.
                this.whole += max(_ROUND, int(self._limit))
            else:
                self._rise()
        elif self.told or not this.count:
            self._rise()
        else:
            self._listen(this)

    def _listen(self, this: _Round) -> None:
        """Hear from the latency whether requests wait for each other."""
        latency_s = this.latency_s
        if not self._usual_s:
            self._usual_s = latency_s
        threshold_s = max(_TOLERANCE * self._usual_s, _UNREMARKABLE_S)
        queued = this.above(threshold_s)
        if queued is None and not self._quick and this.count < _LONGEST * _ROUND:
            this.whole += max(_ROUND, int(self._limit))
            return
        if latency_s < self._usual_s:  # one quick round may be chance
            self._usual_s += (latency_s - self._usual_s) / 4
        if queued and self._limit > 1:
            # The latency tells how many wait; at least a fifth less, so that the difference is seen.
            self._fall(this, max(0.5, min(_FALL, threshold_s / latency_s)))
        else:
            self._rise()

    def _judge_fall(self, this: _Round, fallen: _Round) -> None:
        """Whether the fall was of any use, or only cost throughput."""
        if fallen.failures >= _FEW:
            # Half of all failing is trouble, whoever makes it.
            useless = 0.6 * fallen.failing < this.failing < 0.5
        elif not this.count:
            useless = False
        else:
            share = this.throughput / fallen.throughput
            # Halfway between as much as the limit fell and not at all decides.
            middle = (1 + this.limit / fallen.limit) / 2
            unsure = abs(share - middle) < _SURE * this.error_s / this.latency_s
            if unsure and this.count < _LONGEST * _ROUND:
                this.whole += max(_ROUND, int(self._limit))
                return
            useless = share < middle
        if useless:
            self._usual_failing = max(self._usual_failing, this.failing)
            if fallen.failures < _FEW:
                self._usual_s = max(self._usual_s, fallen.latency_s)
            self._limit, self._calm, self._step = fallen.limit, 1, 1.0
            self._ceiling = min(self.most, 2 * self._limit)
        self._fallen = None
        self._next_round()

    def _fall(self, this: _Round, factor: float) -> None:
        if (
            not self._falling
        ):  # in an outage one fall follows the other, and only the first one says something
            self._calm = min(_MOST_CALM, 2 * self._calm) if self._limit < 1.2 * self._ceiling else 1
            self._ceiling = self._limit
        self._falling, self._fallen, self._step = True, this, 1.0
        self._limit = max(1.0, self._limit * factor)
        self._next_round()

    def _rise(self) -> None:
        self._usual_failing = min(self._usual_failing, (3 * self._usual_failing + self._round.failing) / 4)
        self._falling = False
        self._rounds += 1
        if self._quick:
            self._limit = min(self.most, _NEAR * self._ceiling, 1.5 * self._limit)
        elif self._rounds >= self._calm:
            self._limit = min(self.most, self._limit + min(self._step, self._limit / 4))
            self._rounds = 0
            if self._limit > self._ceiling:  # more than was too many once: times have changed
                self._ceiling, self._calm, self._step = self._limit, max(1, self._calm // 2), 2 * self._step
        self._next_round()

    @property
    def _quick(self) -> bool:
        """Whether so few are allowed that there is no danger in a quick rise."""
        return self._limit < _NEAR * self._ceiling - 0.5

    def _next_round(self) -> None:
        if self._fallen is not None:
            whole = max(2 * _ROUND, 2 * self._limit)
        elif self._quick:
            whole = max(_QUICK_ROUND, self._limit / 2)
        else:
            whole = max(_ROUND, 2 * self._limit)
        self._round = _Round(self.limit, self.limit, int(whole))
