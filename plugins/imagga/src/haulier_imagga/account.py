"""What the answer of GET /v2/usage says of an account: plan, quota, and how hard it may be pressed.

Counters were renamed over time, and what is missing is left out: https://github.com/henomis/imagga-go,
https://github.com/airbytehq/airbyte/blob/master/airbyte-integrations/connectors/source-imagga/manifest.yaml and
https://github.com/PostHog/posthog (imagga source)
"""

from __future__ import annotations

from datetime import UTC, datetime

from haulier.authoring import Account, Quota, Response, look_up

__all__ = ["account_of"]

_USED = ("/result/monthly_processed", "/result/monthly_requests")


def account_of(response: Response) -> Account:
    """Facts, limits and quota, as far as the answer has them."""
    limit = _whole(look_up(response.body, "/result/monthly_limit"))
    used = next((one for at in _USED if (one := _whole(look_up(response.body, at))) is not None), None)
    left = _of_header(response, "monthly-limit-remaining")
    if left is None and limit is not None and used is not None:
        left = max(0, limit - used)
    reset = _of_header(response, "monthly-limit-reset")
    limits = {
        name: value
        for name, pointer in (
            ("requests_per_second", "/result/rps_limit"),
            ("max_in_flight", "/result/concurrency/max"),
        )
        if (value := _whole(look_up(response.body, pointer)))
    }
    facts = (
        ("plan", limit, " requests a month"),
        ("used", used, ""),
        ("left", left, ""),
        ("requests a second", limits.get("requests_per_second"), ""),
        ("at a time", limits.get("max_in_flight"), ""),
    )
    told = [(word, f"{value:,}{unit}") for word, value, unit in facts if value is not None]
    if reset is not None:
        told.append(("reset", f"{datetime.fromtimestamp(reset, UTC):%Y-%m-%d %H:%M} UTC"))
    quota = Quota(left=left, limit=limit, reset_epoch=reset) if left is not None else None
    return Account(facts=tuple(told), limits=limits, quota=quota)


def _of_header(response: Response, name: str) -> int | None:
    text = (response.header(name) or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def _whole(value: object) -> int | None:
    """A count; whole numbers of 0 and more only, also where they are written as 5.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        return None
    return int(value)
