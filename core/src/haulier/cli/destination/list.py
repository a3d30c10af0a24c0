"""`haulier destination list`."""

from __future__ import annotations

import click

from haulier.cli.options import json_option, state_option
from haulier.cli.printing import out, out_json, short_text, table

__all__ = ["command"]


@click.command("list")
@state_option
@json_option
def command(*, state: str | None, as_json: bool) -> None:
    """List the destinations of this project."""
    from haulier.runs.destinations.listing import listed_destinations

    listed = listed_destinations(state=state)
    if as_json:
        out_json({"destinations": [one.to_dict() for one in listed]})
        return
    if not listed:
        out("no destinations yet; make one with: haulier destination new NAME")
        return
    rows = [(one.name, one.activation, one.goes_to, one.credential) for one in listed if not one.error]
    if rows:
        for line in table(("name", "state", "goes to", "credential"), rows):
            out(line)
    for one in listed:
        if one.error:
            out(f"{one.name}: does not hold: {short_text(one.error, 300)}")
