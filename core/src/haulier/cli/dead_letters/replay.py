"""`haulier dead-letters replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from haulier.cli.carrying import carry
from haulier.cli.dead_letters.choosing import choosing_options
from haulier.cli.options import (
    base_url_option,
    json_option,
    leave_in_doubt_option,
    param_option,
    state_option,
    trust_code_option,
    yes_option,
)

if TYPE_CHECKING:
    from haulier.runs.sittings.sitting import Sitting

__all__ = ["command"]


@click.command("replay")
@click.argument("of", metavar="DEST|RUN")
@click.option(
    "--records",
    metavar="FILE|-",
    help="Mended ones, as `dead-letters export --json` wrote them; those alone are taken.",
)
@choosing_options(default="rejected")
@click.option("--again", is_flag=True, help="Those too that were replayed before.")
@click.option("--activate", is_flag=True, help="Switch the destination on first.")
@leave_in_doubt_option
@param_option
@trust_code_option
@base_url_option
@state_option
@yes_option
@json_option
def command(
    *,
    of: str,
    records: str | None,
    only: Literal["rejected", "in_doubt", "all"],
    reason: str,
    again: bool,
    activate: bool,
    state: str | None,
    base_url: str | None,
    yes: bool,
    as_json: bool,
    **wanted: Any,
) -> int:
    """Carry them once more, mended or as they were.

    A replay is a run of its own that knows its parents, by the destination's settings of now. What one replay took, the
    next leaves out. What is in doubt may have arrived: it is taken only with --only in_doubt or --only all. The same
    command goes on with a replay that stopped, and so does one that chooses nothing; another is refused until then.
    """
    from haulier.runs.destinations.switching import gate
    from haulier.runs.replays.replay import Choice, prepare_replay
    from haulier.runs.reports.history import replay_target

    destination, run = replay_target(of, state=state)
    passed = gate(destination, state=state, activate=activate)
    choice = Choice(run=run, records=records, reason=reason, only=only, again=again)

    def prepared(on_start: Any) -> Sitting:
        return prepare_replay(
            destination, choice, state=state, base_url=base_url, on_start=on_start, **wanted
        )

    return carry(prepared, passed, base_url=base_url, yes=yes, as_json=as_json)
