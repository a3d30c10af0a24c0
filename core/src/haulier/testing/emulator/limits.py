"""What a service grants at once and a second; decides, never waits."""

from __future__ import annotations

from collections import deque
from math import inf
from threading import Lock

from haulier.testing.emulator.errors import EmulatorError


class Limits:
    """Requests per second and requests in flight, each None for as many as come. Settable while running.

    `requests_per_second` holds for any stretch of one second of the emulator's clock (below 1: one request in
    1/rate seconds); only admitted requests count. `retry_after_s` is sent as `Retry-After` with a refusal;
    None sends none.
    """

    def __init__(
        self,
        *,
        requests_per_second: float | None = None,
        max_in_flight: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self._lock = Lock()
        self._admitted: deque[float] = deque()
        self.set(
            requests_per_second=requests_per_second, max_in_flight=max_in_flight, retry_after_s=retry_after_s
        )

    def set(
        self,
        *,
        requests_per_second: float | None = None,
        max_in_flight: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        """Replace all three limits; what is left out is lifted."""
        for name, value in (
            ("requests_per_second", requests_per_second),
            ("max_in_flight", max_in_flight),
        ):
            if value is not None and not 0 < value < inf:
                raise EmulatorError(f"{name} must be above 0, not {value}; leave it out for no limit")
        if retry_after_s is not None and retry_after_s < 0:
            raise EmulatorError(f"retry_after_s must be 0 or more, not {retry_after_s}")
        with self._lock:
            self.requests_per_second = requests_per_second
            self.max_in_flight = max_in_flight
            self.retry_after_s = retry_after_s
            self._admitted.clear()

    def admit(self, now: float, in_flight: int) -> str | None:
        """None when a request that arrives at `now` may pass, else why not.

        `in_flight` counts the requests being answered, this one included.
        """
        with self._lock:
            if self.max_in_flight is not None and in_flight > self.max_in_flight:
                return f"more than {self.max_in_flight} requests in flight"
            if self.requests_per_second is None:
                return None
            return self._admit_by_rate(now, self.requests_per_second)

    def _admit_by_rate(self, now: float, rate: float) -> str | None:
        span_s = max(1.0, 1.0 / rate)
        # A clock that was set back leaves times ahead of it; those are forgotten too.
        while self._admitted and not now - span_s < self._admitted[0] <= now:
            self._admitted.popleft()
        if len(self._admitted) >= max(1, int(rate)):
            return f"more than {rate:g} requests per second"
        self._admitted.append(now)
        return None
