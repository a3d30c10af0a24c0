"""`haulier dead-letters list`."""

from __future__ import annotations

from itertools import islice

import click

from haulier.cli.dead_letters.choosing import all_option, choosing_options
from haulier.cli.options import WholeNumber, json_option, state_option
from haulier.cli.printing import out, out_json, short_text, table

__all__ = ["command"]

_MOST_COUNTED = 100_000  # of those that are not listed: counting reads them
_MOST_OF_A_REASON = 400


@click.command("list")
@click.argument("of", metavar="DEST|RUN")
@click.option(
    "-n", "most", default=50, show_default=True, type=WholeNumber(min=1), help="List no more than so many."
)
@choosing_options(default="all")
@all_option
@state_option
@json_option
def command(
    *, of: str, most: int, only: str, reason: str, replayed: bool, state: str | None, as_json: bool
) -> None:
    """List records that were rejected or are in doubt.

    Those that were replayed are left out.
    """
    from haulier.model.json_value import as_text
    from haulier.runs.reports.history import dead_letters

    letters = dead_letters(of, state=state, only=only, reason=reason, replayed=replayed)
    listed = list(islice(letters, most))
    if as_json:
        out_json({"dead_letters": [one.to_dict() for one in listed], "more": next(letters, None) is not None})
        return
    if not listed:
        out(
            "none: no such record was rejected or is in doubt"
            + ("" if replayed else ", or it was replayed (--all)")
        )
        return
    rows = [
        (
            one.run_id[:12] + (f".{one.stage}" if "." in one.run_id else ""),
            str(one.position),
            "" if one.key is None else short_text(as_text(one.key), 60),
            one.state.replace("_", " ") + (f", replayed by {one.replayed[:12]}" if one.replayed else ""),
            short_text(one.reason, _MOST_OF_A_REASON),
        )
        for one in listed
    ]
    for line in table(("run", "position", "key", "state", "reason"), rows):
        out(line)
    if more := sum(1 for _ in islice(letters, _MOST_COUNTED)):
        at_least = "at least " if more == _MOST_COUNTED else ""
        out(f"... and {at_least}{more:,} more (-n {most + more})")
