"""A report for people: the counts, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from haulier.cli.printing import facts, seconds_text, table

if TYPE_CHECKING:
    from haulier.runs.report import Report

__all__ = ["report_lines"]


def report_lines(report: Report) -> Iterator[str]:
    """Which run it was, the table of counts, and the way on where something is left to do."""
    yield from facts(
        [
            ("run", f"{report.run_id} of {report.destination}, {_ending(report)}"),
            ("input", report.source),
            ("run key", report.run_key),
        ]
    )
    yield ""
    yield from table(
        ("read", "delivered", "accepted", "rejected", "in doubt", "pending", "attempts"),
        [
            (
                report.read,
                report.delivered,
                report.accepted,
                report.rejected,
                report.in_doubt,
                report.pending + report.sending,
                report.attempts,
            )
        ],
    )
    if report.reason:
        yield f"\nstopped: {report.reason}"
    if report.note:
        yield f"\n{report.note}"
    advice = list(_advice(report))
    if advice:
        yield ""
        yield from advice


def _ending(report: Report) -> str:
    if report.ended is None:
        return "under way, or ended by a crash"
    return f"{report.state} after {seconds_text(report.ended - report.started)}"


def _advice(report: Report) -> Iterator[str]:
    if report.state != "finished":
        yield "to go on: the same command again; what was delivered is not sent twice"
    if report.rejected or report.in_doubt:
        what = " and ".join(
            word for word, count in (("rejected", report.rejected), ("in doubt", report.in_doubt)) if count
        )
        yield f"{what}, and why: haulier dead-letters list {report.destination}"
    if report.in_doubt:
        yield "what is in doubt may have arrived: ask the service before sending it again"
    if report.accepted:
        yield f"accepted: the service works on them; their tickets: haulier report {report.run_id[:12]}"
