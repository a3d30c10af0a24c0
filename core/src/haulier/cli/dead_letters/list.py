"""`haulier dead-letters list`."""

from __future__ import annotations

from itertools import islice

import click

from haulier.cli.options import json_option, state_option
from haulier.cli.printing import out, out_json, short_text, table

__all__ = ["command"]


@click.command("list")
@click.argument("of", metavar="DEST|RUN")
@click.option(
    "-n", "most", default=50, show_default=True, type=click.IntRange(min=1), help="List no more than so many."
)
@state_option
@json_option
def command(*, of: str, most: int, state: str | None, as_json: bool) -> None:
    """List records that were rejected or are in doubt."""
    from haulier.runs.history import dead_letters

    letters = dead_letters(of, state=state)
    listed = list(islice(letters, most))
    more = next(letters, None) is not None
    if as_json:
        out_json({"dead_letters": [one.to_dict() for one in listed], "more": more})
        return
    if not listed:
        out("none: no record was rejected or is in doubt")
        return
    rows = [
        (
            one.run_id[:12],
            str(one.position),
            "" if one.key is None else str(one.key),
            one.state.replace("_", " "),
            short_text(one.reason, 200),
        )
        for one in listed
    ]
    for line in table(("run", "position", "key", "state", "reason"), rows):
        out(line)
    if more:
        out(f"... and more (-n {most * 10})")
