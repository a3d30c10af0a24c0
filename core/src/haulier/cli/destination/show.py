"""`haulier destination show`."""

from __future__ import annotations

import click

from haulier.cli.options import base_url_option, destination_argument, json_option, state_option
from haulier.cli.printing import facts, out, out_json, say

__all__ = ["command"]


@click.command("show")
@destination_argument
@base_url_option
@state_option
@json_option
def command(*, destination: str, base_url: str | None, state: str | None, as_json: bool) -> None:
    """Show a destination: its settings and what they come to."""
    from haulier.runs.destinations.listing import show_destination

    one = show_destination(destination, base_url=base_url, state=state)
    if as_json:
        out_json(one.to_dict())
        return
    for line in facts(
        [
            ("name", one.name),
            ("state", f"{one.activation}{f' since {one.since}' if one.since else ''}"),
            ("sends", one.sends),
            ("credential", one.credential or "none"),
            ("records", one.records),
            ("limits", one.limits),
            ("read", one.way),
        ]
    ):
        out(line)
    out("\nsettings")
    for line in one.settings_lines:
        out(f"  {line}")
    for warning in one.warnings:
        say(f"warning: {warning}")
