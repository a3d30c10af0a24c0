"""Pacing: when the next request may start. One pure object; tests run it under a virtual clock, the driver for real."""

from __future__ import annotations

import msgspec

__all__ = ["Pacing"]


class Pacing(msgspec.Struct, gc=False, kw_only=True):
    """Sits below the retry loop, so that repeated requests are paced like first ones. All times in seconds.

    interval_s: between two starts, 0 for no limit; starts are spaced evenly, unused time is not saved up for a burst.
    """

    interval_s: float = 0.0
    _next_start: float = 0.0
    _not_before: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a request may start; 0 or less: now."""
        return max(self._next_start, self._not_before) - now

    def started(self, now: float) -> None:
        """A request starts."""
        if self.interval_s:
            # A timer that fired a little late is made up for; time in which nothing wanted to start is not.
            on_time = now - self._next_start < self.interval_s / 2
            self._next_start = (self._next_start if on_time else now) + self.interval_s

    def asked(self, now: float, wait_s: float) -> None:
        """The service asked to be left alone for `wait_s`: nothing starts before."""
        self._not_before = max(self._not_before, now + wait_s)
