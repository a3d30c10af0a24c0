"""Pacing: when the next request may start. One pure object; tests run it under a virtual clock, the driver for real.

It sits below the retry loop, so that repeated requests are paced like first ones. Four things limit a start: the rate
and the requests in flight that somebody told, what the service bears as its answers show (429s; latency, 503s and
silence), the quota it says is left, and a wait it asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from haulier.delivery.allowance import Allowance
from haulier.delivery.concurrency import Concurrency
from haulier.delivery.quota import QuotaReader
from haulier.delivery.rate import LearnedRate
from haulier.delivery.spacing import Spacing
from haulier.model.request import Response

__all__ = ["MARGIN", "Pace", "Pacing"]

# The way to the server is not equally long each time: requests that start exactly as told may arrive in less time.
MARGIN = 1.02
_FOREVER_S = 3600.0


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is to be paced. requests_per_second: 0 where nobody said; most_in_flight: the bound in any case.

    told: whether somebody said how many may be in flight; else the service's latency decides. patience_s: longest wait
    for the service. base_s, cap_s: first and longest wait where it refuses everything without saying for how long.
    quota_headers: the connector's own. wall_s: seconds since 1970 when the clock of the run stood at 0.
    """

    requests_per_second: float = 0.0
    most_in_flight: int = 16
    told: bool = True
    patience_s: float = 300.0
    base_s: float = 0.5
    cap_s: float = 30.0
    quota_headers: Mapping[str, str] = {}
    wall_s: float = 0.0


class Pacing:
    """`wait` says how long until a request may start, `limit` how many may be under way; the rest are events.

    paced: whether starts are spaced, and not only limited in number. All times in seconds of a clock that never goes
    back.
    """

    __slots__ = (
        "_allowance",
        "_concurrency",
        "_interval_s",
        "_met",
        "_not_before",
        "_pace",
        "_rate",
        "_read",
        "_spacing",
        "_waits",
        "in_flight",
        "paced",
    )

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._spacing = Spacing()
        self._rate = LearnedRate(base_s=pace.base_s, cap_s=pace.cap_s)
        # What is told to bear a rate is not asked step by step how many in flight that makes.
        first = max(4, int(pace.requests_per_second))
        self._concurrency = Concurrency(most=pace.most_in_flight, told=pace.told, first=first)
        self._allowance = Allowance(pace.patience_s)
        self._read = QuotaReader(pace.quota_headers)
        self._interval_s = MARGIN / pace.requests_per_second if pace.requests_per_second else 0.0
        self._not_before = 0.0
        self.paced = bool(self._interval_s)  # whether there is anything to do at a start
        self._met = False  # whether anything was answered
        self._waits = False  # whether some quota was heard of
        self.in_flight = 0

    @property
    def limit(self) -> int:
        """How many requests may be in flight."""
        return self._concurrency.limit

    @property
    def asks(self) -> bool:
        """Whether the service answers 429 to everything, so that one request at a time asks whether it still does."""
        return self._rate.dry_since is not None

    def wait(self, now: float) -> float:
        """Seconds until a request may start; 0 or less: now."""
        if not self.paced:
            return self._not_before - now
        if self._rate.waits:
            return _FOREVER_S  # the answer that is under way decides
        wait = max(self._spacing.next_start, self._not_before) - now
        return max(wait, self._allowance.wait(now)) if self._waits else wait

    def started(self, now: float) -> None:
        """A request starts."""
        self.in_flight += 1
        if self.paced:
            interval_s = max(self._interval_s, self._rate.interval_s)
            if self._waits:
                interval_s = max(interval_s, self._spread_s(now))
            on_time = self._spacing.started(now, interval_s)
            self._rate.started(now, interval_s, on_time=on_time)
            self._spacing.next_start = max(self._spacing.next_start, self._rate.not_before(now))

    def answered(self, began: float, now: float, response: Response | None, *, beside: int = 0) -> None:
        """The answer to a request that began then; None where none came.

        beside: how many came at the same time and were told before this one: they were in flight with it.
        """
        in_flight, self.in_flight = self.in_flight + beside, self.in_flight - 1
        if not self._met:
            # A first request has a way to make: name, connection, TLS. The next one must not be at its heels.
            self._met = True
            self._spacing.next_start = max(self._spacing.next_start, now + self._interval_s)
        if response is None:
            self._concurrency.failed()
            self._rate.unanswered(began)
            return
        if quotas := self._read(response, self._pace.wall_s + now):
            self._allowance.hear(quotas, now)
            self.paced = self._waits = True
        status = response.status
        if status == 429:
            self.paced = True
            self._rate.refused(began, now)
            return
        if status == 503:
            self._concurrency.failed()
        else:
            self._concurrency.answered(began, now, in_flight)
        if self._rate.accepted(began, now):
            self._spacing.space_anew(max(self._interval_s, self._rate.interval_s))

    def asked(self, now: float, wait_s: float) -> None:
        """The service asked to be left alone for `wait_s`: nothing starts before."""
        self._not_before = max(self._not_before, now + wait_s)
        self._rate.asked(wait_s)

    def hopeless(self, now: float) -> str:
        """Why it is of no use to wait for the service any longer, or an empty text."""
        patience_s = self._pace.patience_s
        if self._waits and (used_up := self._allowance.used_up(now)) is not None:
            header, wait_s = used_up
            back = datetime.fromtimestamp(self._pace.wall_s + now, UTC) + timedelta(seconds=wait_s)
            return (
                f"the service has no requests left ({header}: 0) until {back:%Y-%m-%d %H:%M} UTC, which is longer "
                f"than `limits.patience_s` ({patience_s:,.0f} s); run again then"
            )
        since = self._rate.dry_since
        if since is not None and now - since > patience_s:
            return (
                f"the service has answered nothing but 429 for {now - since:,.0f} s, which is longer than "
                f"`limits.patience_s` ({patience_s:,.0f} s); run again later"
            )
        return ""

    def shared_interval_s(self, now: float) -> float:
        """Seconds between two starts of all who share a credential's limit; 0 where nobody told of one."""
        return max(self._interval_s, self._spread_s(now)) if self._waits else self._interval_s

    def _spread_s(self, now: float) -> float:
        return self._allowance.interval_s(now, self.in_flight)
