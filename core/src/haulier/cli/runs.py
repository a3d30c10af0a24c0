"""`haulier runs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from haulier.cli.options import WholeNumber, json_option, state_option
from haulier.cli.printing import out, out_json, short_text, table, time_text
from haulier.errors import LedgerError

if TYPE_CHECKING:
    from haulier.runs.reports.report import Report

__all__ = ["command"]

_HEADS = (
    "run",
    "destination",
    "state",
    "read",
    "delivered",
    "accepted",
    "rejected",
    "in doubt",
    "pending",
    "started",
    "input",
)


@click.group("runs", invoke_without_command=True)
@click.option("--destination", metavar="DEST", help="Only the runs of this destination.")
@click.option(
    "-n", "most", default=20, show_default=True, type=WholeNumber(min=1), help="Show so many, the newest."
)
@state_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, destination: str | None, most: int, state: str | None, as_json: bool
) -> None:
    """List the runs of this project, and prune old ones."""
    if ctx.invoked_subcommand is None:
        _list(destination=destination, most=most, state=state, as_json=as_json)


@command.command("prune")
@click.option(
    "--keep",
    default=30,
    show_default=True,
    type=WholeNumber(min=1),
    help="Keep so many of each destination.",
)
@click.option("--destination", metavar="DEST", help="Only the runs of this destination.")
@click.option(
    "--unfinished",
    is_flag=True,
    help="Old ones too that stopped or crashed, or whose outputs lack lines; they cannot go on any more.",
)
@click.option("--dead-letters", is_flag=True, help="Those too with dead letters that nobody replayed.")
@state_option
@json_option
def _prune(
    *,
    keep: int,
    destination: str | None,
    unfinished: bool,
    dead_letters: bool,
    state: str | None,
    as_json: bool,
) -> None:
    """Forget old finished runs, and make ledgers smaller.

    An input whose run is forgotten is sent again when it is given again. Unfinished runs stay unless another one took
    their place, and so do finished ones with dead letters that were not replayed, or with lines that outputs lack.
    """
    from haulier.runs.reports.tidying import prune_runs

    tidied = prune_runs(
        keep=keep, destination=destination, dead_letters=dead_letters, unfinished=unfinished, state=state
    )
    if as_json:
        fields = ("destination", "removed", "kept", "owing", "spools", "busy")
        out_json({"destinations": [{name: getattr(one, name) for name in fields} for one in tidied]})
        return
    if not tidied:
        out("no runs yet" if destination is None else f"no runs of {destination}")
    for one in tidied:
        out(f"{one.destination}: {one.busy or f'{len(one.removed):,} runs forgotten'}")
        if one.kept:
            out(f"  {len(one.kept):,} old ones stay for their dead letters (--dead-letters forgets them too)")
        if one.owing:
            out(
                f"  {len(one.owing):,} old ones stay for lines that their outputs lack: the command of a run hands "
                f"them over (--unfinished forgets them): {', '.join(run_id[:12] for run_id in one.owing)}"
            )


def _list(*, destination: str | None, most: int, state: str | None, as_json: bool) -> None:
    from haulier.runs.reports.history import all_runs

    listed = all_runs(state=state, destination=destination)
    runs = listed.runs
    if as_json:
        shown = [one.to_dict() for one in runs[:most]]
        out_json({"runs": shown, "more": max(0, len(runs) - most), "unread": list(listed.unread)})
    elif runs:
        _table(runs, most)
    elif not listed.unread:
        out("no runs yet; begin one with: haulier run DEST --records FILE")
    if listed.unread:
        raise LedgerError("; ".join(listed.unread))


def _state(one: Report) -> str:
    """The state of a run in a word or two: of one that is finished but for its jobs, that some are left."""
    if one.reason.startswith("superseded"):
        return "superseded"
    return "finished, accepted left" if one.state == "finished" and one.accepted else one.state


def _table(runs: Sequence[Report], most: int) -> None:
    rows = [
        (
            one.run_id[:12],
            one.destination,
            _state(one),
            one.read,
            one.delivered,
            one.accepted,
            one.rejected,
            one.in_doubt,
            one.pending + one.sending,
            time_text(one.started),
            short_text(one.source, 60),
        )
        for one in runs[:most]
    ]
    for line in table(_HEADS, rows):
        out(line)
    if len(runs) > most:
        out(f"... and {len(runs) - most:,} older ones (-n {len(runs)})")
