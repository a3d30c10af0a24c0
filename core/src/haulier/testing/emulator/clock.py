"""The time an emulator lives by, which a test may set."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Lock

from haulier.testing.emulator.errors import EmulatorError


class Clock:
    """Seconds since 1970 (UTC), settable from any thread.

    `Clock()` runs with the system's time; `Clock.virtual(at)` stands still until it is moved. Both can be
    advanced and set; a running clock runs on from there.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._offset_s = 0.0
        self._stands_at: float | None = None

    @classmethod
    def virtual(cls, at: float | datetime = 0.0) -> Clock:
        """A clock that stands still at `at` (seconds since 1970, or an aware datetime)."""
        clock = cls()
        clock._stands_at = _epoch(at)
        return clock

    @property
    def is_virtual(self) -> bool:
        """Whether the clock moves only when it is told to."""
        return self._stands_at is not None

    def now(self) -> float:
        """Seconds since 1970 by this clock."""
        with self._lock:
            return self._now()

    def advance(self, seconds: float) -> float:
        """Move forward by `seconds` (0 or more) and return the new time."""
        if seconds < 0:
            raise EmulatorError(f"a clock cannot be advanced by {seconds} seconds; use set() to go back")
        with self._lock:
            return self._move_to(self._now() + seconds)

    def set(self, at: float | datetime) -> float:
        """Move to `at` (seconds since 1970, or an aware datetime), forward or back, and return it."""
        with self._lock:
            return self._move_to(_epoch(at))

    def _now(self) -> float:
        return time.time() + self._offset_s if self._stands_at is None else self._stands_at

    def _move_to(self, epoch: float) -> float:
        if self._stands_at is None:
            self._offset_s = epoch - time.time()
        else:
            self._stands_at = epoch
        return epoch


def _epoch(at: float | datetime) -> float:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise EmulatorError(f"the time {at.isoformat()} has no time zone; give one, such as +00:00")
        return at.astimezone(UTC).timestamp()
    return float(at)
