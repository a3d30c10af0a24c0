"""What all commands that carry do: ask where it cannot be undone, show progress, end well when interrupted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeAlias

from haulier.cli.printing import out, out_json, say

if TYPE_CHECKING:
    from haulier.cli.progress import Progress
    from haulier.runs.destinations.switching import Gate
    from haulier.runs.reports.report import Report
    from haulier.runs.sittings.sitting import Sitting

__all__ = ["carry"]

# Takes what is called when the run begins.
Prepare: TypeAlias = "Callable[[Callable[[str, str], None]], Sitting]"


def carry(prepare: Prepare, passed: Gate, *, base_url: str | None, yes: bool, as_json: bool) -> int:
    """Prepare a sitting, carry it out, print its report; the exit code."""
    report, interrupted = _carry(prepare, passed, base_url=base_url, yes=yes)
    if as_json:
        out_json(report.to_dict())
    else:
        from haulier.cli.reporting import report_lines

        for line in report_lines(report):
            out(line)
    # A run of which jobs are left was interrupted, too, though all of its records were sent.
    left = report.state != "finished" or report.accepted
    return interrupted if interrupted and left else report.exit_code


def _carry(prepare: Prepare, passed: Gate, *, base_url: str | None, yes: bool) -> tuple[Report, int]:
    """The report, and the exit code of an interruption."""
    from haulier.cli.interrupting import interruptible
    from haulier.cli.progress import Progress, watched
    from haulier.errors import HaulierError
    from haulier.runs.driving.loop import LoopThread

    progress = Progress(passed.state_dir, passed.site.destination.name)
    sitting = prepare(progress.started)
    with ExitStack() as refused:
        refused.callback(sitting.take_back)
        _let_pass(sitting, passed, base_url=base_url, yes=yes)
        refused.pop_all()
    with watched(progress), interruptible(sitting) as interruption:
        try:
            return LoopThread(sitting.run).result(), interruption.exit_code
        except HaulierError as error:
            return _stopped(progress, passed, error), interruption.exit_code


def _let_pass(sitting: Sitting, passed: Gate, *, base_url: str | None, yes: bool) -> None:
    """Pass where nothing keeps a sitting from being carried out; say what is to be known before."""
    from haulier.cli.asking import confirm
    from haulier.errors import ConfigurationError
    from haulier.runs.credentials.accounts import known_account, used_up
    from haulier.runs.destinations.caution import irreversible
    from haulier.runs.destinations.trying import output_problems

    if problems := output_problems(passed.site, sitting.outputs):
        raise ConfigurationError(problems[0])
    if sitting.beforehand:
        say(sitting.beforehand)
    confirm(irreversible(passed.site.destination, base_url=base_url), yes=yes)
    if warning := used_up(known_account(passed.site)):
        say(f"warning: {warning}")
    for line in passed.changed:
        say(f"changed since the last run: {line}")
    passed.enter()


def _stopped(progress: Progress, passed: Gate, error: Exception) -> Report:
    """The report of a run that an error ended in the middle; where none had begun, the error itself is the answer."""
    from haulier.errors import ConfigurationError
    from haulier.runs.reports.history import run_under_way

    report = run_under_way(passed.state_dir, progress.run_id) if progress.run_id else None
    if report is None or isinstance(error, ConfigurationError):
        raise error
    progress.end()
    say(f"haulier: {error}")
    return report
