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


def _going_on(report: Report) -> str:
    """How an unfinished run goes on; an input that has no name of its own must be given under the run's key."""
    if report.state == "open":
        return "if it ended by a crash: the same command again goes on with it"
    if f"run key {report.run_key}" in report.reason:
        return f"to go on: mend the input, then the same command with --run-key {report.run_key}"
    if report.source in _NAMELESS:
        return f"to go on, nothing twice: the same records again with --run-key {report.run_key}"
    return "to go on: the same command again; what was delivered is not sent twice"


_NAMELESS = ("standard input", "records from Python", "records written by a program")


def _advice(report: Report) -> Iterator[str]:
    if report.state != "finished":
        yield _going_on(report)
    if report.rejected or report.in_doubt:
        what = " and ".join(
            word for word, count in (("rejected", report.rejected), ("in doubt", report.in_doubt)) if count
        )
        yield f"{what}, and why: haulier dead-letters list {report.destination}"
    if report.in_doubt:
        yield "what is in doubt may have arrived: ask the service before sending it again"
    if report.accepted:
        yield f"accepted: the service works on them; their tickets: haulier report {report.run_id[:12]}"
