"""`haulier pause`."""

from __future__ import annotations

import click

from haulier.cli.options import destination_argument, json_option, state_option
from haulier.cli.printing import out, out_json

__all__ = ["command"]


@click.command("pause")
@destination_argument
@state_option
@json_option
def command(*, destination: str, state: str | None, as_json: bool) -> None:
    """Switch a destination off, also for a run under way.

    A run under way takes nothing more in, finishes what is in flight and stops; after `haulier activate` the same
    command goes on with it.
    """
    from haulier.runs.destinations.switching import switch_off

    switched = switch_off(destination, state=state)
    if as_json:
        out_json({name: getattr(switched, name) for name in ("destination", "state", "since")})
        return
    out(f"destination {switched.destination} is paused since {switched.since}")
