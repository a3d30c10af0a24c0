"""What is left of a service's quotas, spread until there is more.

A quota for a short time (at most `patience_s`) is spread evenly over it, so that none is refused. One for a long time
is used as it comes: nobody waits for a day that may not be needed. When it is used up, the run is to end for now.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from haulier.delivery.quota import Quota

__all__ = ["Allowance"]

_MARGIN = 1.02  # the way to the server is not equally long each time: as many as allowed may then arrive in less time
_END = 0.1  # of a window; then what is left says little of the pace


class _Window(msgspec.Struct, gc=False):
    """One quota as last heard of. reset_at: when there is more; None where the service does not say."""

    header: str
    limit: float | None = None
    remaining: float | None = None
    reset_at: float | None = None
    length_s: float = 0.0
    told: bool = False  # the service says how long its window is
    begun: bool = False  # something was left when first heard of, so these requests count

    def hear(self, quota: Quota, now: float) -> None:
        self.limit = quota.limit if quota.limit is not None else self.limit
        if quota.window_s:
            self.length_s, self.told = quota.window_s, True
        if quota.reset_s is not None:
            reset_at = now + quota.reset_s
            new = self.remaining is None or (quota.remaining or 0) > self.remaining or self._over(now)
            self.reset_at = reset_at if new or self.reset_at is None else min(reset_at, self.reset_at)
            if not self.told:
                self.length_s = max(self.length_s, quota.reset_s, 1.0)
        self.remaining = quota.remaining
        self.begun = self.begun or bool(quota.remaining)

    def _over(self, now: float) -> bool:
        return self.reset_at is not None and now >= self.reset_at

    def wait(self, now: float, patience_s: float) -> float:
        """Seconds until a request may start, as nothing is left."""
        if self.remaining is None or self.remaining >= 1 or self.reset_at is None or now >= self.reset_at:
            return 0.0
        # Heard of at 0 and answered nevertheless: either the last one, or one that does not count. The next one shows.
        return self.reset_at - now if self.begun or self.reset_at - now <= patience_s else 0.0

    def interval_s(self, now: float, in_flight: int, patience_s: float) -> float:
        """Seconds between two starts, 0 for no limit."""
        if not 0 < self.length_s <= patience_s:
            return 0.0
        usual = _MARGIN * self.length_s / self.limit if self.limit else 0.0
        # Services tell whole seconds, mostly rounded up.
        left_s = 0.0 if self.reset_at is None else self.reset_at - now - 1
        if self.remaining is None or left_s <= _END * self.length_s:
            return usual
        return max(usual, left_s / max(self.remaining - in_flight, 0.5))


class Allowance:
    """All quotas of one service; hears of them with each answer."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._windows: dict[str, _Window] = {}

    def hear(self, quotas: Sequence[Quota], now: float) -> None:
        """An answer told of these."""
        for quota in quotas:
            window = self._windows.get(quota.header)
            if window is None:
                window = self._windows[quota.header] = _Window(quota.header)
            window.hear(quota, now)

    def wait(self, now: float) -> float:
        """Seconds until something is left, 0 where it is."""
        return max((window.wait(now, self._patience_s) for window in self._windows.values()), default=0.0)

    def interval_s(self, now: float, in_flight: int) -> float:
        """Seconds between two starts, 0 for no limit."""
        return max(
            (window.interval_s(now, in_flight, self._patience_s) for window in self._windows.values()),
            default=0.0,
        )

    def used_up(self, now: float) -> tuple[str, float] | None:
        """Header and wait in seconds of a quota that is used up for longer than patience lasts."""
        for window in self._windows.values():
            if (wait := window.wait(now, self._patience_s)) > self._patience_s:
                return window.header, wait
        return None
