"""`haulier destination`."""

from __future__ import annotations

import click

from haulier.cli.lazy import LazyGroup, Listed, Section

__all__ = ["command"]

_SECTIONS = (
    Section(
        "Commands",
        {
            "new": Listed(
                "haulier.cli.destination.new:command",
                "Make a destination: from an endpoint template or by hand.",
            ),
            "list": Listed("haulier.cli.destination.list:command", "List the destinations of this project."),
            "show": Listed(
                "haulier.cli.destination.show:command",
                "Show a destination: its settings and what they come to.",
            ),
            "check": Listed(
                "haulier.cli.destination.check:command",
                "Check destinations against what is installed and stored.",
            ),
        },
    ),
)


@click.group("destination", cls=LazyGroup, sections=_SECTIONS)
def command() -> None:
    """Make, list, show and check destinations."""
