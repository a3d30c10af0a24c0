"""`haulier follow`."""

from __future__ import annotations

import click

from haulier.cli.options import Seconds, base_url_option, json_option, state_option
from haulier.cli.printing import out, out_json

__all__ = ["command"]


@click.command("follow")
@click.argument("run", metavar="RUN|DEST")
@click.option(
    "--timeout",
    "timeout_s",
    type=Seconds(min=0),
    metavar="SECONDS",
    help="Longest time to follow a job now; as the endpoint says when left out.",
)
@click.option(
    "--lost",
    is_flag=True,
    help="Ask, too, for jobs whose answer was lost; a service that gives a result once may say that it is gone.",
)
@base_url_option
@state_option
@json_option
def command(
    *, run: str, timeout_s: float | None, lost: bool, base_url: str | None, state: str | None, as_json: bool
) -> int:
    """Go on asking for the results of what a service has accepted.

    RUN is the id of a finished run or the beginning of it, as `haulier runs` lists them; DEST means the latest run of a
    destination. Ends as `haulier run` does: 0 all delivered, 5 some still accepted or in doubt.
    """
    from haulier.cli.interrupting import interruptible
    from haulier.cli.reporting import report_lines
    from haulier.runs.driving.loop import LoopThread
    from haulier.runs.jobs.following import prepare_follow

    sitting = prepare_follow(run, state=state, base_url=base_url, timeout_s=timeout_s, lost=lost)
    with interruptible(sitting) as interruption:
        report = LoopThread(sitting.run).result()
    if as_json:
        out_json(report.to_dict())
    else:
        for line in report_lines(report):
            out(line)
    return interruption.exit_code or report.exit_code
