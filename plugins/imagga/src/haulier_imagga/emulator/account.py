"""What one account may still do this month, and has done."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from haulier_imagga.emulator.refusal import Refusal


class Account:
    """Counts calls by day (UTC). `monthly_limit` of them may succeed in a calendar month; settable."""

    def __init__(self, monthly_limit: int) -> None:
        self.monthly_limit = monthly_limit
        self.last_usage: float | None = None
        self.requests: Counter[datetime] = Counter()
        self.processed: Counter[datetime] = Counter()

    def remaining(self, now: float) -> int:
        """How many metered calls are left this month."""
        return max(0, self.monthly_limit - _since(self.processed, month_start(now)))

    def headers(self, now: float) -> dict[str, str]:
        """The headers on every answer to this account, refusals too."""
        # A recorded answer (seen in public client code, address unknown, read 2026-11-22) and
        # https://github.com/VictorSuarezL/imaggar
        return {
            "Monthly-Limit": str(self.monthly_limit),
            "Monthly-Limit-Remaining": str(self.remaining(now)),
            "Monthly-Limit-Reset": str(int(month_end(now).timestamp())),
        }

    def require_quota(self, now: float) -> None:
        """Raise the Refusal of a used-up month."""
        if self.remaining(now) == 0:
            raise Refusal(403, f"the monthly limit of {self.monthly_limit} requests is reached")

    def count(self, now: float, *, processed: bool) -> None:
        """Count a call; `processed` when it succeeded and is metered."""
        self.requests[day_start(now)] += 1
        self.last_usage = now
        if processed:
            self.processed[day_start(now)] += 1

    def totals(self, now: float) -> dict[str, int]:
        """Requests and processed images of this day, week (from Monday) and month."""
        today = day_start(now)
        spans = {
            "daily": today,
            "weekly": today - timedelta(days=today.weekday()),
            "monthly": month_start(now),
        }
        counters = {"requests": self.requests, "processed": self.processed}
        return {
            f"{span}_{what}": _since(counter, start)
            for span, start in spans.items()
            for what, counter in counters.items()
        }


def month_start(now: float) -> datetime:
    """The first instant of the month `now` lies in (UTC)."""
    return day_start(now).replace(day=1)


def month_end(now: float) -> datetime:
    """The first instant of the next month (UTC)."""
    return (month_start(now) + timedelta(days=32)).replace(day=1)


def day_start(now: float) -> datetime:
    """The first instant of the day `now` lies in (UTC)."""
    return datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _since(counter: Counter[datetime], start: datetime) -> int:
    return sum(count for day, count in counter.items() if day >= start)
