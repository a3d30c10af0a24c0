"""The rate a service bears, learned from its 429s where nobody tells it.

Without a 429 there is no rate. The first one gives an estimate. While the service refuses everything, one request at a
time asks whether it still does, each time after twice the wait; the first answer that is no refusal tells how long
that lasted, and so how many requests the service takes in which time. From then on the rate rises slowly around what
proved too much, the faster the longer nothing is refused, and falls by the share that was refused. It is what
https://www.rfc-editor.org/rfc/rfc9438 (CUBIC) does for a network.
"""

from __future__ import annotations

import msgspec

__all__ = ["LearnedRate"]

_MOST_FALL = 0.5
_USUAL_FALL = 0.9
_LEAST_FALL = 0.97
_FEW = 20  # answers; an estimate from fewer is a poor one
_LONGEST_SPAN_S, _LONGEST_CALM_S, _LONGEST_SEEK_S = 60.0, 8.0, 10.0
_CALM_SPANS = 5


class LearnedRate(msgspec.Struct, gc=False, kw_only=True):
    """base_s, cap_s: interval where nothing was ever accepted, and the longest one. Times in seconds.

    dry_since: when the service began to refuse everything, None while it does not. per_second: 0 where none is known.
    """

    base_s: float = 0.5
    cap_s: float = 30.0
    dry_since: float | None = None
    per_second: float = 0.0
    _before: float = 0.0  # what the rate is to be once the service no longer refuses everything
    _reached: float = 0.0  # growth starts from here
    _grown: float = 0.0  # ... and has lasted so many spans
    _span_s: float = 1.0
    _seeking: bool = False  # the estimate is a poor one: double it each span
    _sought: bool = False
    _poor: bool = False  # `_before` is one from less than a second
    _probing: bool = False  # one request at a time
    _probe: bool = False  # ... which is under way
    _refused_at: float = 0.0  # the last refusal of the dry time
    _hold_s: float = 0.0  # how long the service asked to be left alone then
    _changed: float = 0.0  # requests begun before say nothing of the rate as it is now
    _wet_since: float | None = None  # since when `_accepted` counts
    _accepted: int = 0
    _second: float = 0.0  # when the second of `_in_second` began
    _in_second: int = 0
    _in_last: int = 0

    @property
    def interval_s(self) -> float:
        """Seconds between two starts, 0 where no rate is known."""
        return 1 / self.per_second if self.per_second else 0.0

    @property
    def waits(self) -> bool:
        """Whether nothing may start before the answer that is under way has come."""
        return self._probe

    def accepted(self, began: float, now: float) -> bool:
        """An answer that is no 429; whether the service answers again and the rate jumped up."""
        self._accepted += 1
        if not self.per_second:
            self._count(began, now)
        elif self.dry_since is not None and began >= self._changed:
            self._recovered(self.dry_since, now)
            return True
        return False

    def refused(self, began: float, now: float) -> None:
        """A 429."""
        if not self.per_second:
            self._first(now)
        elif began < self._changed:
            return
        elif self.dry_since is not None:
            self._probing, self._probe = True, False
            self._slow_down(now, self.per_second * _MOST_FALL)
        else:
            self._too_fast(now)

    def unanswered(self, began: float) -> None:
        """No answer came, which tells nothing of the rate."""
        if began >= self._changed:
            self._probe = False

    def asked(self, wait_s: float) -> None:
        """The service asked to be left alone; with a 429, this tells of its window."""
        if self.dry_since is not None:
            self._hold_s = max(self._hold_s, wait_s)

    def started(self, interval_s: float, *, on_time: bool) -> None:
        """A request starts; on_time: it had waited for its turn. Only a rate that is used up grows."""
        if self.dry_since is not None:
            self._probe = self._probing
        elif on_time and self.per_second:
            self._grown += interval_s / self._span_s
            x = self._grown
            self.per_second = self._reached * (2**x if self._seeking else 1 + 0.01 * x + 0.001 * x**3)
            if x > _CALM_SPANS and not self._seeking:  # it bears more than it did
                self._seek(max(1.0, self._span_s / 4))

    def _count(self, began: float, now: float) -> None:
        """Before the first 429: how many were accepted in about the last second."""
        if self._wet_since is None:
            self._wet_since = self._second = began
        if now - self._second >= 1:
            self._in_last = self._in_second if now - self._second < 2 else 0
            self._second, self._in_second = now, 0
        self._in_second += 1

    def _first(self, now: float) -> None:
        """The first 429: an estimate from the last second; from less, what comes later tells more."""
        self._seeking = self._probing = self._poor = True
        if self._wet_since is None:
            self._wet_since = now
            rate = 1 / max(self.base_s, 0.001)
        elif now - self._wet_since <= 1:
            rate = self._accepted / max(now - self._wet_since, 0.001)
        else:
            rate = max(1.0, self._in_second + self._in_last * max(0.0, 1 - (now - self._second)))
            self._poor = False
        self._dry(now, rate)

    def _too_fast(self, now: float) -> None:
        share = self._accepted / (self._accepted + 1)
        if self._seeking:
            # Half a span ago it was not refused, nor where it began to be doubled.
            least = max(2 ** (-0.5 / self._span_s), _LEAST_FALL * self._reached / self.per_second)
            factor = max(_MOST_FALL, min(least, share))
            self._seeking, self._sought = False, True
        else:
            factor = max(_USUAL_FALL, min(_LEAST_FALL, share))
            if (
                self.per_second < 1.1 * self._reached
            ):  # refused again at about the same rate: rise more slowly
                self._span_s = max(self._span_s, min(_LONGEST_CALM_S, 2 * self._span_s))
        self._dry(now, self.per_second * factor)

    def _dry(self, now: float, rate: float) -> None:
        self.dry_since, self._before = now, rate
        self._slow_down(now, rate)

    def _slow_down(self, now: float, rate: float) -> None:
        self.per_second = max(rate, 1 / max(self.cap_s, 0.001))
        self._changed = self._refused_at = now

    def _seek(self, span_s: float) -> None:
        """Double the rate each span from now on, until that is too much."""
        self._seeking, self._span_s = True, span_s
        self._reached, self._grown = self.per_second, 0.0

    def _recovered(self, dry_since: float, now: float) -> None:
        wet_s = dry_since - (self._wet_since or 0.0)
        dry_s = (self._refused_at + now) / 2 - dry_since  # it ended between the last refusal and now
        rate, taken = self._before, self._accepted - 1
        if not taken or not wet_s + dry_s + self._hold_s:
            pass  # nothing was taken before, or all of it within one tick of the clock: that tells of no rate
        elif self._hold_s > wet_s / 2:
            found = _LEAST_FALL * taken / max(wet_s, self._hold_s)
            rate = found if self._poor else min(rate, found)
            self._seeking = taken < _FEW
        elif self._poor or (self._refused_at > dry_since and dry_s > wet_s / 4 and taken >= 5):
            found = taken / (wet_s + dry_s)
            rate = found if self._poor else min(rate, found)
            if dry_s > wet_s:  # a burst, and then nothing: a window of about this length, or an outage
                self._span_s = min(_LONGEST_SPAN_S, max(1.0, dry_s))
                self._seeking = not self._sought
        elif self._hold_s:  # to be refused again costs such a wait again: keep well below, and rise slowly
            rate *= _LEAST_FALL
            self._span_s = max(self._span_s, min(_LONGEST_CALM_S, 4 * self._hold_s))
        self._poor = False
        self.per_second = max(rate, 1 / max(self.cap_s, 0.001))
        if self._seeking:
            self._seek(min(_LONGEST_SEEK_S, self._span_s))
        else:
            self._reached, self._grown = self.per_second, 0.0
        self._changed = self._wet_since = now
        self._probing = self._probe = False
        self.dry_since, self._accepted, self._hold_s = None, 1, 0.0
