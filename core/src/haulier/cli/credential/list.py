"""`haulier credential list`."""

from __future__ import annotations

import click

from haulier.cli.options import json_option
from haulier.cli.printing import out, out_json, table

__all__ = ["command"]


@click.command("list")
@json_option
def command(*, as_json: bool) -> None:
    """List what is stored, without values."""
    from haulier.runs.credentials.storing import stored_credentials

    rows = stored_credentials()
    if as_json:
        names = ("name", "type", "origins", "values")
        out_json({"credentials": [{name: getattr(row, name) for name in names} for row in rows]})
        return
    if not rows:
        out("nothing is stored yet; store one with: haulier credential add TYPE|CONNECTOR")
        return
    for line in table(
        ("name", "type", "sent to", "values"),
        [
            (
                row.name,
                row.type,
                ", ".join(row.origins),
                ", ".join(f"{name} {place}" for name, place in row.values.items()),
            )
            for row in rows
        ],
    ):
        out(line)
