"""A report for people: the counts, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from haulier.cli.printing import facts, seconds_text, table
from haulier.delivery.stopping import SETTING_AT_FAULT, STOPS_ANEW

if TYPE_CHECKING:
    from haulier.runs.reports.figures import Figures
    from haulier.runs.reports.report import Report, StageCounts

__all__ = ["figure_lines", "report_lines"]


def report_lines(report: Report) -> Iterator[str]:
    """Which run it was, the table of counts, and the way on where something is left to do."""
    yield from facts(
        [
            ("run", f"{report.run_id} of {report.destination}, {_ending(report)}"),
            ("input", report.source),
            *([("replay of", report.parent.replace(",", ", "))] if report.parent else []),
            ("run key", report.run_key),
            *([("files", report.saved_in)] if report.saved_in else []),
        ]
    )
    yield ""
    if report.stages:
        rows = [(stage.name, *_counts(stage)) for stage in report.stages]
        yield from table(("stage", *_COUNTS), [*rows, ("in all", *_counts(report))])
    else:
        yield from table(_COUNTS, [_counts(report)])
    if report.reason:
        yield f"\nstopped: {report.reason}"
    if report.note:
        yield f"\n{report.note}"
    advice = list(_advice(report))
    if advice:
        yield ""
        yield from advice


_COUNTS = ("read", "delivered", "accepted", "rejected", "in doubt", "pending", "attempts")


def _counts(told: Report | StageCounts) -> tuple[int, ...]:
    return (
        told.read,
        told.delivered,
        told.accepted,
        told.rejected,
        told.in_doubt,
        told.pending + told.sending,
        told.attempts,
    )


def figure_lines(report: Report, figures: Figures) -> Iterator[str]:
    """How fast a run was, what it cost, and what it waited for."""
    # Of requests without outcome no attempt of that sitting is counted.
    least = "at least " if figures.cut_off else ""
    slowest = ", ".join(f"{seconds:.2f} s (number {number})" for number, seconds in figures.slowest[:3])
    yield from facts(
        [
            ("time", _time(report, figures)),
            (
                "rate",
                f"{figures.records_per_second:,.1f} records/s, {figures.requests_per_second:,.1f} requests/s",
            ),
            (
                "cost",
                f"{least}{figures.attempts:,} requests went out: {figures.requests:,} different ones, "
                f"{least}{figures.repeated:,} of them more than once",
            ),
            *([("beside", _cut_off(figures.cut_off))] if figures.cut_off else []),
            (
                "waiting",
                f"{seconds_text(figures.busy_s)} for answers, {seconds_text(figures.waited_s)} between attempts, "
                "summed over all requests",
            ),
            *([("slowest", slowest)] if slowest else []),
        ]
    )


def _time(report: Report, figures: Figures) -> str:
    """The time that the head of the report tells, and how much of it the rates are of."""
    in_all = ""
    if report.ended is not None:
        in_all = f"{seconds_text(report.ended - report.started)} from begin to end, of which "
    active = seconds_text(figures.active_s)
    return (
        f"{in_all}{active} under way: all sittings, without the time between them and without following jobs"
    )


def _cut_off(count: int) -> str:
    """True whether they were sent again or parked, and however many attempts of each were made."""
    if count == 1:
        return (
            "1 request was without outcome when a sitting ended: it may have gone out before, more than once where it "
            "was tried again, not counted above"
        )
    return (
        f"{count:,} requests were without outcome when a sitting ended: those of them that had their turn may have "
        "gone out before, more than once where they were tried again, not counted above"
    )


def _ending(report: Report) -> str:
    if report.ended is None:
        return "under way, or ended by a crash"
    left = f"; {report.accepted:,} accepted, not at their end" if report.accepted else ""
    return f"{report.state} after {seconds_text(report.ended - report.started)}{left}"


def _going_on(report: Report) -> str:
    """How an unfinished run goes on; an input that has no name of its own must be given under the run's key."""
    begin = "if it ended by a crash" if report.state == "open" else "to go on"
    if SETTING_AT_FAULT in report.reason or STOPS_ANEW in report.reason:
        begin += ", once the setting is mended"
    run_key = f"--run-key {shlex.quote(report.run_key)}"
    if f"run key {report.run_key}" in report.reason:
        return f"{begin}: mend the input, then the same command with {run_key}"
    if report.parent:
        return f"{begin}: haulier dead-letters replay {report.run_id[:12]}"
    if report.source == _SPOOLED:
        return (
            f"{begin} with what was read: haulier run {report.destination} --resume {report.run_id[:12]}; with all of "
            f"the input: the same again with {run_key}"
        )
    if report.source in _NAMELESS:
        return f"{begin}, nothing twice: the same records again with {run_key}"
    return f"{begin}: the same command again; what was delivered is not sent twice"


_SPOOLED = "standard input"
_NAMELESS = ("records from Python", "records written by a program")


def _advice(report: Report) -> Iterator[str]:
    if report.state != "finished" and not report.reason.startswith("superseded"):
        yield _going_on(report)
    if report.rejected or report.in_doubt:
        what = " and ".join(
            word for word, count in (("rejected", report.rejected), ("in doubt", report.in_doubt)) if count
        )
        yield f"{what}, and why: haulier dead-letters list {report.destination}"
        if report.state == "finished":
            replay = f"haulier dead-letters replay {report.run_id[:12]}"
            if report.rejected:
                yield f"once mended, they or the settings: {replay}"
            if report.in_doubt > report.lost:
                yield f"what is in doubt may have arrived: ask the service first, then {replay} --only in_doubt"
    if report.lost:
        yield (
            f"{report.lost:,} in doubt as the answer with their result was lost; to ask once more: haulier follow "
            f"{report.run_id[:12]} --lost"
        )
    if report.accepted:
        yield f"accepted: the service works on them; their tickets: haulier report {report.run_id[:12]}"
        if "haulier follow" not in report.note and not report.stages:
            yield f"their results, once they are there: haulier follow {report.run_id[:12]}"
