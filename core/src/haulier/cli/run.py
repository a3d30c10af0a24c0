"""`haulier run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from haulier.cli.carrying import carry
from haulier.cli.importing import importing
from haulier.cli.options import (
    base_url_option,
    destination_argument,
    json_option,
    leave_in_doubt_option,
    limit_option,
    param_option,
    records_options,
    state_option,
    trust_code_option,
    yes_option,
)
from haulier.errors import ConfigurationError
from haulier.runs.planning.beginning import planner_beside

if TYPE_CHECKING:
    from haulier.runs.sittings.sitting import Sitting

__all__ = ["command"]


@click.command("run")
@destination_argument
@records_options(required=False)
@click.option(
    "--activate", is_flag=True, help="Switch the destination on first: the explicit step for containers."
)
@click.option(
    "--run-key", metavar="KEY", help="What makes two runs the same one; else destination and input do."
)
@click.option("--again", is_flag=True, help="Repeat a run that finished.")
@click.option(
    "--resume",
    metavar="RUN",
    help="Instead of --records: go on with what an unfinished run had read of standard input.",
)
@click.option(
    "--follow/--no-follow",
    default=True,
    help="Ask for the results of jobs until they are there; else: haulier follow.",
)
@leave_in_doubt_option
@param_option
@trust_code_option
@base_url_option
@state_option
@limit_option
@yes_option
@json_option
def command(
    *,
    destination: str,
    records: str | None,
    resume: str | None,
    run_key: str | None,
    activate: bool,
    state: str | None,
    base_url: str | None,
    yes: bool,
    as_json: bool,
    **wanted: Any,
) -> int:
    """Carry records to a destination; goes on where it stopped.

    Every record that was read is accounted for, also after a crash. The same command again goes on with an unfinished
    run, and sends nothing where the very input was carried before.

    Ends with 0 all delivered, 2 nothing sent for what is set wrongly (or a plugin failed under way: resumable),
    3 stopped and resumable, 4 some rejected, 5 some in doubt or accepted, 130 or 143 interrupted.
    """
    if (records is None) == (resume is None):
        raise ConfigurationError("give the records with --records FILE, or --resume RUN; one of the two")
    if resume and (run_key or wanted["again"]):
        raise ConfigurationError("--resume names the run; leave out --run-key and --again")
    with planner_beside(records, limit=wanted["limit"]) as beside:
        with importing():
            from haulier.runs.destinations.switching import gate
            from haulier.runs.sittings.sending import prepare

        passed = gate(destination, state=state, activate=activate)

        def prepared(on_start: Any) -> Sitting:
            with importing():
                return prepare(
                    destination,
                    records or "-",
                    resume=resume,
                    run_key=run_key,
                    state=state,
                    base_url=base_url,
                    on_start=on_start,
                    beside=beside,
                    **wanted,
                )

        return carry(prepared, passed, base_url=base_url, yes=yes, as_json=as_json)
