"""Even spacing of starts. Time in which nothing wanted to start is not saved up for a burst."""

from __future__ import annotations

import msgspec

__all__ = ["Spacing"]

_LATE_S = (
    0.005  # a loop's timer may fire so late; above 100 starts a second that is more than half an interval
)


class Spacing(msgspec.Struct, gc=False):
    """When the next one may start. Times in seconds, of a clock that never goes back."""

    next_start: float = 0.0
    _last: float = 0.0  # when the last one started, or was to

    def started(self, now: float, interval_s: float) -> bool:
        """One starts, the next one `interval_s` later; whether this one had waited for its turn."""
        # A timer that fired a little late is made up for; time in which nothing wanted to start is not.
        late = now - self.next_start
        on_time = late < max(interval_s / 2, _LATE_S)
        self._last = self.next_start if on_time else now
        self.next_start = self._last + interval_s
        return on_time

    def space_anew(self, interval_s: float) -> None:
        """The interval is another one, also for the one that comes next."""
        self.next_start = self._last + interval_s
