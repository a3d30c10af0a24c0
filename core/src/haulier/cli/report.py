"""`haulier report`."""

from __future__ import annotations

import click

from haulier.cli.options import json_option, state_option
from haulier.cli.printing import out, out_json, short_text, table
from haulier.cli.reporting import figure_lines, report_lines

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
    from haulier.runs.reports.history import told_of

    told = told_of(run, state=state)
    if as_json:
        reasons = [
            {"state": kind, "reason": reason, "records": count} for kind, reason, count in told.reasons
        ]
        figures = told.figures.to_dict()
        out_json({**told.report.to_dict(), "figures": figures, "tickets": told.tickets, "reasons": reasons})
        return
    for line in report_lines(told.report):
        out(line)
    out()
    for line in figure_lines(told.report, told.figures):
        out(line)
    if told.reasons:
        out()
        rows = [
            (kind.replace("_", " "), count, short_text(reason, 160))
            for kind, reason, count in told.reasons[:_MOST]
        ]
        for line in table(("state", "records", "reason"), rows):
            out(line)
    if told.tickets:
        out("\ntickets")
    for ticket in told.tickets[:_MOST]:
        out(f"  {ticket}")
    for name, listed in (("reason", told.reasons), ("ticket", told.tickets)):
        if (more := len(listed) - _MOST) > 0:
            out(f"  ... and {more:,} more {name}{'' if more == 1 else 's'} (--json has all)")
