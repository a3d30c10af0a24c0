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

    def started(self, now: float, interval_s: float) -> bool:
        """One starts, the next one `interval_s` later; whether this one had waited for its turn."""
        # A timer that fired a little late is made up for; time in which nothing wanted to start is not.
        late = now - self.next_start
        on_time = late < max(interval_s / 2, _LATE_S)
        self.next_start = (self.next_start if on_time else now) + interval_s
        return on_time

    def at_most(self, now: float, interval_s: float) -> None:
        """The interval became shorter: the next one waits no longer than that."""
        self.next_start = min(self.next_start, now + interval_s)
