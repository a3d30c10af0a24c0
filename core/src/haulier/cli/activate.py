"""`haulier activate`."""

from __future__ import annotations

import click

from haulier.cli.options import destination_argument, json_option, state_option
from haulier.cli.printing import out, out_json

__all__ = ["command"]


@click.command("activate")
@destination_argument
@state_option
@json_option
def command(*, destination: str, state: str | None, as_json: bool) -> None:
    """Switch a destination on.

    From then on `haulier run` sends to it. Editing its file keeps it active; the next run says what changed.
    """
    from haulier.runs.destinations.switching import switch_on

    switched = switch_on(destination, state=state)
    if as_json:
        names = ("destination", "state", "since", "changed")
        out_json({name: getattr(switched, name) for name in names})
        return
    out(f"destination {switched.destination} is active since {switched.since}")
    for line in switched.changed:
        out(f"  changed: {line}")
