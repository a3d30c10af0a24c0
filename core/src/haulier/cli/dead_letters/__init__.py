"""`haulier dead-letters`."""

from __future__ import annotations

import click

from haulier.cli.lazy import LazyGroup, Listed, Section

__all__ = ["command"]

_SECTIONS = (
    Section(
        "Commands",
        {
            "list": Listed(
                "haulier.cli.dead_letters.list:command", "List records that were rejected or are in doubt."
            ),
            "show": Listed("haulier.cli.dead_letters.show:command", "Show one of them: its text, and why."),
            "export": Listed(
                "haulier.cli.dead_letters.export:command",
                "Write them as JSONL, to be mended.",
            ),
            "replay": Listed(
                "haulier.cli.dead_letters.replay:command", "Carry them once more, mended or as they were."
            ),
        },
    ),
)


@click.group("dead-letters", cls=LazyGroup, sections=_SECTIONS)
def command() -> None:
    """List, show, export and replay records that were not delivered.

    Of one run (RUN: its id or the beginning of it), or of all runs of a destination (DEST).
    """
