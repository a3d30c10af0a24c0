"""`haulier run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from haulier.cli.options import (
    base_url_option,
    destination_argument,
    json_option,
    limit_option,
    param_option,
    records_options,
    state_option,
    yes_option,
)
from haulier.cli.printing import out, out_json, say

if TYPE_CHECKING:
    from haulier.cli.progress import Progress
    from haulier.runs.report import Report
    from haulier.runs.switching import Gate

__all__ = ["command"]


@click.command("run")
@destination_argument
@records_options
@click.option(
    "--activate", is_flag=True, help="Switch the destination on first: the explicit step for containers."
)
@click.option(
    "--run-key", metavar="KEY", help="What makes two runs the same one; else destination and input do."
)
@click.option("--again", is_flag=True, help="Repeat a run that finished.")
@param_option
@base_url_option
@state_option
@limit_option
@yes_option
@json_option
def command(
    *, destination: str, activate: bool, state: str | None, yes: bool, as_json: bool, **wanted: Any
) -> int:
    """Carry records to a destination; goes on where it stopped.

    Every record that was read is accounted for, also after a crash. The same command again goes on with an unfinished
    run, and sends nothing where the very input was carried before.

    Ends with 0 all delivered, 2 nothing sent for what is set wrongly, 3 stopped and resumable, 4 some rejected,
    5 some in doubt or accepted, 130 or 143 interrupted.
    """
    from haulier.runs.switching import gate

    passed = gate(destination, state=state, activate=activate)
    report, interrupted = _carry(destination, passed, state=state, yes=yes, **wanted)
    if as_json:
        out_json(report.to_dict())
    else:
        from haulier.cli.reporting import report_lines

        for line in report_lines(report):
            out(line)
    return interrupted if interrupted and report.state != "finished" else report.exit_code


def _carry(
    destination: str,
    passed: Gate,
    *,
    state: str | None,
    yes: bool,
    records: str,
    base_url: str | None,
    **wanted: Any,
) -> tuple[Report, int]:
    """The report, and the exit code of an interruption."""
    from haulier.cli.asking import confirm
    from haulier.cli.interrupting import interruptible
    from haulier.cli.progress import Progress, watched
    from haulier.errors import ConfigurationError, HaulierError
    from haulier.runs.caution import irreversible
    from haulier.runs.loop import LoopThread
    from haulier.runs.sending import prepare
    from haulier.runs.trying import output_problems

    progress = Progress(passed.state_dir, passed.site.destination.name)
    sitting = prepare(
        destination, records, state=state, base_url=base_url, on_start=progress.started, **wanted
    )
    problems = output_problems(passed.site, sitting.resolved)
    if problems:
        raise ConfigurationError(problems[0])
    confirm(irreversible(destination, base_url=base_url), yes=yes)
    for line in passed.changed:
        say(f"changed since the last run: {line}")
    passed.enter()
    with watched(progress), interruptible(sitting) as interruption:
        try:
            return LoopThread(sitting.run).result(), interruption.exit_code
        except HaulierError as error:
            return _stopped(progress, passed, error), interruption.exit_code


def _stopped(progress: Progress, passed: Gate, error: Exception) -> Report:
    """The report of a run that an error ended in the middle; where none had begun, the error itself is the answer."""
    from haulier.errors import ConfigurationError
    from haulier.runs.history import run_under_way

    report = run_under_way(passed.state_dir, progress.run_id) if progress.run_id else None
    if report is None or isinstance(error, ConfigurationError):
        raise error
    progress.end()
    say(f"haulier: {error}")
    return report
