"""How many requests may be in flight: what a service bears, found from its throughput, latency and failures.

Half as many more each round of answers, until throughput does not follow, or the latency says that requests wait
for each other. A rise that did not bring at least half of what it would if nobody waited is taken back: then halfway
to what was too many, and near it slowly up. Latency that grows all the same is answered by a fall. One that costs
throughput was wrong: then that latency is what this service takes for so many, and counts as usual from then on. It
is what congestion control by delay does for a network:
https://www.rfc-editor.org/rfc/rfc6817 (LEDBAT).
"""

from __future__ import annotations

from math import hypot, sqrt

import msgspec

__all__ = ["Concurrency"]

_QUICK_ROUND, _ROUND = 12, 24  # answers a round has at least
_TROUBLE = 8  # failures that end a round of which they are the most
_LONGEST = 8  # rounds that one may last where latencies vary much
_TOLERANCE = 1.2  # a latency so much above the usual one is that of a queue
_SURE, _QUITE_SURE = 2.0, 3.0  # standard errors
_UNREMARKABLE_S = 0.01  # shorter latencies say more of our own machine than of the service
_QUICK_RISE, _LEAST_EAGER = 1.5, 0.1
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
        return self.count + self.failures >= self.whole or self.failures >= max(_TROUBLE, self.count)

    @property
    def busy(self) -> bool:
        """Whether as many as allowed were in flight; else something else held the run back."""
        return self.in_flight >= 0.8 * self.limit * self.count

    @property
    def failing(self) -> float:
        """The share of attempts that failed."""
        return self.failures / (self.count + self.failures)

    @property
    def mean_in_flight(self) -> float:
        return self.in_flight / self.count

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
        return self.mean_in_flight / self.latency_s

    def followed(self, before: _Round) -> tuple[float, float]:
        """How far throughput followed the number in flight: 1 in proportion, 0 not at all; and the standard error."""
        change = self.mean_in_flight / before.mean_in_flight - 1
        if not change:
            return 0.0, 0.0
        ratio = self.throughput / before.throughput
        error = hypot(self.error_s / self.latency_s, before.error_s / before.latency_s) * ratio
        return (ratio - 1) / change, error / abs(change)

    def above(self, latency_s: float, error_s: float) -> bool | None:
        """Whether the latency is above that, whose standard error is given; None where that is not sure."""
        found = self.latency_s
        if found <= latency_s:
            return False
        return True if found - latency_s > _SURE * hypot(self.error_s, error_s) else None


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
    _usual_error_s: float = 0.0  # its standard error
    _usual_failing: float = 0.0  # the share of failures that does not come of the number in flight
    _round: _Round = msgspec.field(default_factory=lambda: _Round(0, 0, 0))
    _fallen: _Round | None = None  # the round before the last fall, until that is judged
    _gain: float = 1.0  # how far the throughput may have followed the last rise
    _risen: _Round | None = None  # the round before the last rise, or before several that are in doubt
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
            self._risen = None
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
            self._usual_s, self._usual_error_s = latency_s, this.error_s
        threshold_s = max(_TOLERANCE * self._usual_s, _UNREMARKABLE_S)
        queued = this.above(threshold_s, _TOLERANCE * self._usual_error_s)
        if queued is None and self._prolong(this):
            return
        if self._risen is not None and latency_s > _UNREMARKABLE_S and self._judge_rise(this, self._risen):
            return
        if latency_s < self._usual_s:  # one quick round may be chance
            self._usual_s += (latency_s - self._usual_s) / 4
            self._usual_error_s = hypot(3 * self._usual_error_s, this.error_s) / 4
        if queued and self._limit > 1:
            # The latency tells how many wait; at least a fifth less, so that the difference is seen.
            self._fall(this, max(0.5, min(_FALL, threshold_s / latency_s)))
        else:
            self._rise()

    def _judge_rise(self, this: _Round, before: _Round) -> bool:
        """Whether that is all there is to do about this round: the rise was taken back, or is still in doubt."""
        share, error = this.followed(before)
        self._gain = share + error
        if share < 0.5:
            if 0.5 - share >= _QUITE_SURE * error:
                self._take_back(before)
                return True
            return self._prolong(this)
        if share - 0.5 >= _SURE * error:
            self._risen = None  # in doubt, the next rise would be judged together with this one
        return False

    def _judge_fall(self, this: _Round, fallen: _Round) -> None:
        """Whether the fall was of any use, or only cost throughput."""
        if fallen.failures >= _FEW:
            # Half of all failing is trouble, whoever makes it.
            useless = 0.6 * fallen.failing < this.failing < 0.5
        elif not this.count:
            useless = False
        else:
            share, error = this.followed(fallen)
            useless = share > 0.5
            if abs(share - 0.5) < _SURE * error and self._prolong(this):
                return
        if useless:
            self._usual_failing = max(self._usual_failing, this.failing)
            if fallen.failures < _FEW:
                self._usual_s = max(self._usual_s, fallen.latency_s)
                self._usual_error_s = fallen.error_s
            self._limit, self._calm, self._step = fallen.limit, 1, 1.0
            self._ceiling = min(self.most, 2 * self._limit)
        self._fallen = None
        self._next_round()

    def _prolong(self, this: _Round) -> bool:
        """Ask for more answers in this round, where there is reason to; a quick rise does not wait for them."""
        if this.count >= _LONGEST * _ROUND or (self._quick and self._fallen is None):
            return False
        this.whole += max(_ROUND, int(self._limit))
        return True

    def _take_back(self, before: _Round) -> None:
        """As many as before a rise that brought nothing. They are measured well: the next rise is held against them."""
        self._met_ceiling()
        self._limit, self._step, self._risen, self._rounds = before.limit, 1.0, None, 0
        self._next_round(careful=True)

    def _fall(self, this: _Round, factor: float) -> None:
        if (
            not self._falling
        ):  # in an outage one fall follows the other, and only the first one says something
            self._met_ceiling()
        self._falling, self._fallen, self._step, self._risen = True, this, 1.0, None
        self._limit = max(1.0, self._limit * factor)
        self._next_round(careful=True)

    def _met_ceiling(self) -> None:
        """So many are too many."""
        self._calm = min(_MOST_CALM, 2 * self._calm) if self._limit < 1.2 * self._ceiling else 1
        self._ceiling = self._limit

    def _rise(self) -> None:
        self._usual_failing = min(self._usual_failing, (3 * self._usual_failing + self._round.failing) / 4)
        self._falling = False
        self._rounds += 1
        was = self.limit
        if self._quick:
            # Less where the last rise brought less, and halfway to what proved too many, if anything did.
            eager = 1 + (_QUICK_RISE - 1) * min(1.0, max(_LEAST_EAGER, self._gain**2))
            most = (self._limit + self._ceiling) / 2 if self._ceiling < self.most else self.most
            self._limit, self._gain = min(most, eager * self._limit), 1.0
        elif self._rounds >= self._calm:
            self._limit = min(self.most, self._limit + min(self._step, self._limit / 4))
            self._rounds = 0
            if self._limit > self._ceiling:  # more than was too many once: times have changed
                self._ceiling, self._calm, self._step = self._limit, max(1, self._calm // 2), 2 * self._step
        if self._risen is None and self.limit > was and self._round.count:
            self._risen = self._round
        self._next_round()

    @property
    def _quick(self) -> bool:
        """Whether so few are allowed that there is no danger in a quick rise."""
        return self._limit < _NEAR * self._ceiling - 0.5

    def _next_round(self, *, careful: bool = False) -> None:
        if self._quick and (self._ceiling >= self.most or self._limit < self._ceiling / 2):
            # Most of those allowed, no less: where answers become slower, the slow ones come last.
            whole = max(_ROUND if careful else _QUICK_ROUND, 0.75 * self._limit)
        else:
            whole = max(_ROUND, 2 * self._limit)
        # Whoever is in flight began while as many were allowed as before: more, after a fall.
        skip = self._round.limit or self.limit
        self._round = _Round(self.limit, skip, int(whole))
