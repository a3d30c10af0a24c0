"""`haulier credential`."""

from __future__ import annotations

import click

from haulier.cli.lazy import LazyGroup, Listed, Section

__all__ = ["command"]

_SECTIONS = (
    Section(
        "Commands",
        {
            "add": Listed(
                "haulier.cli.credential.add:command",
                "Store a credential; what is missing is asked for, hidden.",
            ),
            "list": Listed("haulier.cli.credential.list:command", "List what is stored, without values."),
            "check": Listed(
                "haulier.cli.credential.check:command", "Ask the service whether a credential is good."
            ),
            "remove": Listed("haulier.cli.credential.remove:command", "Forget a credential."),
        },
    ),
)


@click.group("credential", cls=LazyGroup, sections=_SECTIONS)
def command() -> None:
    """Store what authenticates you to a service, and check it."""
