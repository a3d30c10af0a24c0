"""`haulier runs`."""

from __future__ import annotations

import click

from haulier.cli.options import json_option, state_option
from haulier.cli.printing import out, out_json, short_text, table, time_text

__all__ = ["command"]

_HEADS = (
    "run",
    "destination",
    "state",
    "read",
    "delivered",
    "accepted",
    "rejected",
    "in doubt",
    "pending",
    "started",
    "input",
)


@click.command("runs")
@click.option("--destination", metavar="DEST", help="Only the runs of this destination.")
@click.option(
    "-n", "most", default=20, show_default=True, type=click.IntRange(min=1), help="Show so many, the newest."
)
@state_option
@json_option
def command(*, destination: str | None, most: int, state: str | None, as_json: bool) -> None:
    """List the runs of this project."""
    from haulier.runs.history import all_runs

    runs = all_runs(state=state, destination=destination)
    if as_json:
        out_json({"runs": [one.to_dict() for one in runs[:most]], "more": max(0, len(runs) - most)})
        return
    if not runs:
        out("no runs yet; begin one with: haulier run DEST --records FILE")
        return
    rows = [
        (
            one.run_id[:12],
            one.destination,
            one.state,
            one.read,
            one.delivered,
            one.accepted,
            one.rejected,
            one.in_doubt,
            one.pending + one.sending,
            time_text(one.started),
            short_text(one.source, 60),
        )
        for one in runs[:most]
    ]
    for line in table(_HEADS, rows):
        out(line)
    if len(runs) > most:
        out(f"... and {len(runs) - most:,} older ones (-n {len(runs)})")
