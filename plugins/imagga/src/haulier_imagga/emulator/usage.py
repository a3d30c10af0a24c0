"""GET /v2/usage: what the account did, by the emulator's clock."""

from __future__ import annotations

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.account import day_start, month_end, month_start
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Result
from haulier_imagga.emulator.options import flag
from haulier_imagga.emulator.service import Service


def _usage(service: Service, call: Call) -> Result:
    history, concurrency = flag(call, "history"), flag(call, "concurrency")
    account, now = service.accounts[call.user], service.clock.now()
    result: Result = {
        "billing_period_start": month_start(now).isoformat(),
        "billing_period_end": month_end(now).isoformat(),
        **account.totals(now),
        "daily_for": day_start(now).date().isoformat(),
        "monthly_limit": account.monthly_limit,
        "last_usage": None if account.last_usage is None else int(account.last_usage),
        "rps_limit": service.limits.requests_per_second,
    }
    if history:
        result["daily"] = {
            str(int(day.timestamp())): count for day, count in sorted(account.processed.items())
        }
    if concurrency:
        result["concurrency"] = {"max": service.limits.max_in_flight, "now": service.in_flight()}
    return result


ENDPOINTS = (
    Endpoint(
        path="/v2/usage",
        methods=("GET",),
        answer=_usage,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.AIRBYTE, sources.POSTHOG),
        unknown=(
            "how requests and processed images are told apart (here: all calls, successful analyses), the "
            "form of dates, and the histogram by month"
        ),
    ),
)
