"""`haulier report`."""

from __future__ import annotations

import click

from haulier.cli.options import json_option, state_option
from haulier.cli.printing import out, out_json, short_text
from haulier.cli.reporting import report_lines

__all__ = ["command"]

_MOST = 10


@click.command("report")
@click.argument("run", metavar="RUN|DEST")
@state_option
@json_option
def command(*, run: str, state: str | None, as_json: bool) -> None:
    """Show what became of the records of a run.

    RUN is its id or the beginning of it, as `haulier runs` lists them; DEST means the latest run of a destination.
    """
    from haulier.runs.history import told_of

    told = told_of(run, state=state)
    if as_json:
        reasons = [{"reason": reason, "records": count} for reason, count in told.reasons]
        out_json({**told.report.to_dict(), "tickets": told.tickets, "reasons": reasons})
        return
    for line in report_lines(told.report):
        out(line)
    if told.reasons:
        out("\nreasons")
    for reason, count in told.reasons[:_MOST]:
        out(f"  {count:,} x {short_text(reason, 160)}")
    if told.tickets:
        out("\ntickets")
    for ticket in told.tickets[:_MOST]:
        out(f"  {ticket}")
    for name, listed in (("reasons", told.reasons), ("tickets", told.tickets)):
        if len(listed) > _MOST:
            out(f"  ... and {len(listed) - _MOST:,} more {name} (--json has all)")
