"""`haulier plan`."""

from __future__ import annotations

import click

from haulier.cli.importing import importing
from haulier.cli.options import (
    base_url_option,
    destination_argument,
    json_option,
    limit_option,
    param_option,
    records_options,
    trust_code_option,
)
from haulier.cli.printing import alike, facts, out, out_json, say, seconds_text

__all__ = ["command"]


@click.command("plan")
@destination_argument
@records_options()
@param_option
@trust_code_option
@base_url_option
@limit_option
@json_option
def command(
    *,
    destination: str,
    records: str,
    format: str | None,
    params: dict[str, str],
    base_url: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Count requests, bytes and time of a run; sends nothing."""
    with importing():
        from haulier.runs.previews.planning import plan

    made = plan(destination, records, params=params, base_url=base_url, format=format, limit=limit)
    if as_json:
        out_json(made.to_dict())
        return
    for line in facts(
        [
            ("records", made.records),
            ("requests", made.requests),
            ("rejected", made.rejected),
            ("bytes", made.bytes),
            *([] if made.fill is None else [("batches filled", f"{made.fill:.0%} on average")]),
            ("largest body", f"{made.largest_bytes:,} bytes"),
            ("least time", "not limited" if made.seconds is None else seconds_text(made.seconds)),
        ]
    ):
        out(line)
    for reason in alike(made.first_rejections):
        out(f"  rejected: {reason}")
    if made.rejected > len(made.first_rejections):
        out(f"  ... and {made.rejected - len(made.first_rejections):,} more")
    for warning in made.warnings:
        say(f"warning: {warning}")
