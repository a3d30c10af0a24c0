"""GET /v2/usage: what an account has used and may use; the cheapest way to check a credential."""

from __future__ import annotations

from haulier_imagga.endpoints._call import ONE_RECORD, imagga_call
from haulier_imagga.parameters import flag

__all__ = ["USAGE"]

USAGE = imagga_call(
    name="usage",
    title="Usage",
    description="Asks for the usage and limits of the account; takes nothing from records.",
    method="GET",
    path="/v2/usage",
    parameters=(
        flag(name="history", description="Also tell the usage of earlier days."),
        flag(
            name="concurrency",
            description="Also tell how many requests may run at once, and do.",
        ),
    ),
    takes={
        "usage": "/result",
        "monthly_limit": "/result/monthly_limit",
        "billing_period_end": "/result/billing_period_end",
    },
    notes=(
        "Counters were renamed over time; `usage` holds the whole result as it came.",
        ONE_RECORD,
    ),
    verified=True,
    source="https://github.com/henomis/imagga-go",
)
