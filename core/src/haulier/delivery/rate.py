"""The rate a service bears, learned from its 429s where nobody tells it.

Without a 429 there is no rate. While the service refuses everything, one request at a time asks whether it still does,
each time after twice the wait. Once it takes one again, the rate is what it took in the second before it last refused,
or in as long a time as it needs to come back. From there it rises: slowly, ever more slowly while refusals tell of the
same rate, and where there is none for long it doubles until there is.

What was taken in a whole window up to a refusal is what a window grants, however unevenly it came. A bucket that was
full grants more at first and one that was emptied at once grants more than that shows; the next refusals tell.
"""

from __future__ import annotations

from math import inf

import msgspec

from haulier.delivery.tally import Tally

__all__ = ["LearnedRate"]

_MARGIN = 0.98  # of what the service took; that much is hardly ever refused
_AGAIN = (
    0.9  # of what was refused at once: a bucket that was full shows by and by what it takes when it is empty
)
_SECOND_S = 1.0
_USUAL_S = (_SECOND_S, 10.0, 60.0)  # what services count by
_LONGEST_S = 60.0
_LATE = 1.03  # requests do not travel equally long: what starts as a window ends may arrive before that
_FEW, _ENOUGH = 5, 20  # requests: fewer tell little of a rate; so many at once are most of what there is
_ALIKE = 0.15
_CALM_SPANS = 5
_CALM_REQUESTS, _LEAST_REQUESTS = 100, 5  # of a span
_LONGEST_CALM_S, _LONGEST_SEEK_S = 8.0, 2.5


class LearnedRate(msgspec.Struct, gc=False, kw_only=True):
    """base_s, cap_s: interval where nothing was ever accepted, and the longest one. Times in seconds.

    dry_since: when the service began to refuse everything, None while it does not. per_second: 0 where none is known.
    """

    base_s: float = 0.5
    cap_s: float = 30.0
    dry_since: float | None = None
    per_second: float = 0.0
    _tally: Tally = msgspec.field(default_factory=lambda: Tally(span_s=_SECOND_S))
    _first: float = inf  # when the first one began that was taken, or refused
    _counted: float = inf  # from then on requests count when they start, before once they are taken
    _window_s: float = _SECOND_S  # what the service counts by, as far as it shows
    _most: float = 0.0  # so many it took in one; 0: not known
    _before: float = 0.0  # the rate when the service began to refuse everything
    _found: float = 0.0  # the rate that the last refusal told of
    _calm_s: float = 0.0  # how slowly the rate rose from there; 0: none was settled so far
    _reached: float = 0.0  # growth starts from here
    _grown: float = 0.0  # ... and has lasted so many spans
    _span_s: float = _SECOND_S
    _seeking: bool = False  # double the rate each span
    _tried: bool = False  # the rate is half of one that was sought, which may be too much
    _probing: bool = False  # one request at a time
    _probe: bool = False  # ... which is under way
    _ended: float = 0.0  # when the first one began that was refused in the dry time
    _refused: float = 0.0  # ... and the last one
    _hold_s: float = 0.0  # how long the service asked to be left alone then
    _outage_s: float = 0.0  # how long it was dry once, though its window is known to be shorter
    _changed: float = 0.0  # requests begun before say nothing of the rate as it is now
    _since: float = 0.0  # when the service last took requests again

    @property
    def interval_s(self) -> float:
        """Seconds between two starts, 0 where no rate is known."""
        return 1 / self.per_second if self.per_second else 0.0

    @property
    def waits(self) -> bool:
        """Whether nothing may start before the answer that is under way has come."""
        return self._probe

    def not_before(self, now: float) -> float:
        """When the next one may start, lest there are more of them in a window than the service took in one.

        Those that are spaced evenly are not. It matters for one window after a time in which they were not.
        """
        if not self._most or now - self._since > _LATE * self._window_s:
            return 0.0
        return self._tally.moment(self._tally.total - self._most + 1) + _LATE * self._window_s

    def accepted(self, began: float, now: float) -> bool:
        """An answer that is no 429; whether the service answers again, and the rate is another one."""
        if began < self._counted:
            self._tally.add(began)
            self._first = min(self._first, began)
        if self.dry_since is not None and began >= self._changed:
            self._recovered(began, now)
            return True
        return False

    def refused(self, began: float, now: float) -> None:
        """A 429."""
        if began >= self._counted:
            self._tally.take_back()
        if began < self._changed:
            return
        if self.dry_since is None:
            self._dry(began, now)
        else:
            self._refused = began
            self._probing, self._probe = True, False
            self._slow_down(now, self.per_second / 2)

    def unanswered(self, began: float) -> None:
        """No answer came, which tells nothing of the rate."""
        if began >= self._changed:
            self._probe = False

    def asked(self, wait_s: float) -> None:
        """The service asked to be left alone; with a 429, this tells of its window."""
        if self.dry_since is not None:
            self._hold_s = max(self._hold_s, wait_s)
            self._probing = self._probing or wait_s > 0  # one refusal more costs one such wait more

    def started(self, now: float, interval_s: float, *, on_time: bool) -> None:
        """A request starts, the next one so much later; on_time: it had waited for its turn.

        Only a rate that is used up grows: neither where there is too little to send, nor where a lower one was told.
        """
        if not self.per_second:
            return
        self._tally.add(now)
        if self.dry_since is not None:
            self._probe = self._probing
        elif on_time and interval_s <= self.interval_s:
            self._grow(interval_s / self._span_s)

    def _grow(self, spans: float) -> None:
        x = self._grown = self._grown + (min(1.0, spans) if self._seeking else spans)
        self.per_second = self._reached * (2**x if self._seeking else 1 + 0.01 * x + 0.001 * x**3)
        if x > _CALM_SPANS and not self._seeking:  # it bears more than it did
            self._seek(self.per_second)

    def _dry(self, began: float, now: float) -> None:
        """The service refuses. What it bears is told by when it no longer does."""
        rate = self.per_second
        if not rate:
            self._probing, self._counted = True, now
            self._first = min(self._first, began)
            lasted_s = min(self._window_s, max(now - self._first, 0.001))
            taken = self._tally.total - self._tally.by(now - self._window_s)
            rate = taken / lasted_s or 1 / max(self.base_s, 0.001)
        self.dry_since, self._before = now, rate
        self._ended = self._refused = began
        self._slow_down(now, rate * (0.5 if self._seeking else _AGAIN))

    def _slow_down(self, now: float, rate: float) -> None:
        self.per_second = max(rate, 1 / max(self.cap_s, 0.001))
        self._changed = now

    def _recovered(self, began: float, now: float) -> None:
        """The service takes requests again; the tally has the first of them."""
        self._look_at_window(began)
        taken = self._tally.by(self._refused) - self._tally.by(self._refused - self._window_s)
        self._learn(taken - (began <= self._refused), (self._refused + began) / 2 - self._ended, now)
        self._changed = self._since = now
        self._probing = self._probe = False
        self.dry_since, self._hold_s = None, 0.0

    def _look_at_window(self, began: float) -> None:
        """Whether the service was dry for longer than one of its windows lasts, as far as that was known."""
        least_s, most_s = max(self._hold_s, self._refused - self._ended), began - self._ended
        if least_s <= 1.1 * self._window_s:
            return
        if self._calm_s and self._outage_s < least_s / 2:
            self._outage_s = most_s  # until it comes again
            return
        usual = [one for one in _USUAL_S if least_s <= one <= most_s]
        self._window_s = min(_LONGEST_S, usual[0] if usual else (least_s + most_s) / 2)
        self._tally.span_s = self._window_s

    def _learn(self, taken: float, dry_s: float, now: float) -> None:
        """Go on at what a refusal told. taken: in the window up to it; dry_s: for how long nothing was, about."""
        before, counted = self._before, taken / self._window_s
        asked = (
            self._refused > self._ended or not self._hold_s
        )  # else the service told when, and nobody asked
        emptied = asked and dry_s > max(self._window_s / 4, 2 / before)  # a window, or all of a bucket
        tried, self._tried = self._tried, False
        self._most = max(1.0, taken)
        if taken < 1:  # all of it was long ago
            self._most = 0.0
            self._seek(self._found or before)
        elif not self._found and (taken < _ENOUGH or (emptied and not self._hold_s)):
            self._most = 0.0  # others may have had a share of that window
            self._found = _MARGIN * counted
            self._seek(self._found)
        elif emptied or not self._found:
            self._settle(_MARGIN * counted, now, alike=True, sure=taken >= _FEW)
        elif self._seeking and counted < before / 2 and not self._is_found(_MARGIN * counted):
            # A bucket, it seems, which the last of them emptied alone.
            self._tried, self._most, calm_s = True, 0.0, self._calm_s
            self._rise(before / 2, self._window_s / 4)
            self._calm_s = calm_s or self._calm_s
        else:
            again = self._ended - self._since < max(self._window_s / 2, 2 * self._hold_s)
            rate = _MARGIN * min(counted, before)
            if again and not tried:
                rate = max(before / 2, min(rate, _AGAIN * before))
            self._settle(
                rate, now, alike=counted <= max(1.1 * self._found, self._found + 1.1 / self._window_s)
            )

    def _settle(self, rate: float, now: float, *, alike: bool, sure: bool = True) -> None:
        """The service bears that and not much more. alike: it was refused at about what was found before."""
        again, self._found = self._is_found(rate), rate
        if not sure:
            self._seek(rate)
            return
        if not self._calm_s or not again:
            self._calm_s = self._window_s / 4
        elif alike and now - self._since > self._window_s:  # told once more of the same: rise more slowly
            self._calm_s *= 4 if self._hold_s else 2
        self._rise(rate, self._calm_s)

    def _is_found(self, rate: float) -> bool:
        """Whether that is about what a refusal told of before; it tells of whole requests."""
        return abs(rate - self._found) <= max(_ALIKE * rate, 1.1 / self._window_s)

    def _rise(self, rate: float, span_s: float) -> None:
        """Rise from there, slowly for some spans, which are as long as that within bounds."""
        most_s = max(2 * self._window_s, min(_LONGEST_CALM_S, _CALM_REQUESTS / rate), 8 * self._hold_s)
        self._span_s = self._calm_s = max(min(span_s, most_s), _LEAST_REQUESTS / rate, self._hold_s)
        self._rise_from(rate, seeking=False)

    def _seek(self, rate: float) -> None:
        """Double the rate each quarter of a window until that is too much."""
        self._span_s = min(_LONGEST_SEEK_S, self._window_s / 4)
        self._rise_from(rate, seeking=True)

    def _rise_from(self, rate: float, *, seeking: bool) -> None:
        self.per_second = self._reached = max(rate, 1 / max(self.cap_s, 0.001))
        self._grown, self._seeking = 0.0, seeking
