"""`haulier dead-letters export`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from haulier.cli.options import json_option, state_option
from haulier.cli.printing import out_json, say
from haulier.errors import ConfigurationError

__all__ = ["command"]


@click.command("export")
@click.argument("of", metavar="DEST|RUN")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file to write to.",
)
@state_option
@json_option
def command(*, of: str, output: Path | None, state: str | None, as_json: bool) -> None:
    """Write their texts as JSONL, to be mended and sent.

    One line a record, byte for byte as it was read. With --json one object a line, each with state and reason besides.
    """
    from haulier.runs.history import export_dead_letters

    if output is None:
        written, missing = export_dead_letters(of, sys.stdout.buffer, state=state, explained=as_json)
    else:
        try:
            file = output.open("xb")
        except OSError as error:
            raise ConfigurationError(
                f"{output}: cannot be written: {error.strerror}; give a new file"
            ) from None
        with file:
            written, missing = export_dead_letters(of, file, state=state, explained=as_json)
        if as_json:
            out_json({"written": written, "missing": missing, "path": str(output)})
    say(f"{written:,} records written")
    if missing:
        say(
            f"{missing:,} are not kept as text (CSV rows stand in the input; see: haulier dead-letters list {of})"
        )
