"""`haulier dead-letters export`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from haulier.cli.dead_letters.choosing import all_option, choosing_options
from haulier.cli.options import json_option, state_option
from haulier.cli.printing import out_json, say
from haulier.cli.streams import results, unwritten
from haulier.errors import ConfigurationError

if TYPE_CHECKING:
    from haulier.runs.reports.history import DeadLetter

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
@choosing_options(default="all")
@all_option
@state_option
@json_option
def command(
    *,
    of: str,
    output: Path | None,
    only: str,
    reason: str,
    replayed: bool,
    state: str | None,
    as_json: bool,
) -> None:
    """Write them as JSONL, to be mended.

    Those that were replayed are left out.

    One line a record, byte for byte as it was read but for blanks around it. With --json one object a line: run and
    position, state and reason, and under `record` what to mend (under `text` where it is no JSON); `dead-letters replay
    --records` takes that file.
    """
    from haulier.runs.reports.history import dead_letters, export_dead_letters

    letters = dead_letters(of, state=state, only=only, reason=reason, replayed=replayed)
    if output is None:
        try:
            written, missing = export_dead_letters(letters, results().buffer, explained=as_json)
        except OSError as error:
            raise unwritten(error) from None
    else:
        written, missing = _exported(letters, output, explained=as_json)
        if as_json:
            out_json({"written": written, "missing": missing, "path": str(output)})
    say(f"{written:,} records written")
    if missing:
        way = (
            "write each `record` before you replay it" if as_json else f"see: haulier dead-letters list {of}"
        )
        say(
            f"{missing:,} of them are not kept as text; {way}"
            if as_json
            else f"{missing:,} are not kept as text; {way}"
        )


def _exported(letters: Iterator[DeadLetter], output: Path, *, explained: bool) -> tuple[int, int]:
    """Write a new file; nothing of it is left where that fails. What `export_dead_letters` returns."""
    from haulier.runs.reports.history import export_dead_letters

    try:
        file = output.open("xb")
    except OSError as error:
        raise ConfigurationError(f"{output}: cannot be written: {error.strerror}; give a new file") from None
    try:
        with file:
            return export_dead_letters(letters, file, explained=explained)
    except OSError as error:
        output.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{output}: cannot be written: {error.strerror}; make room, or give a file elsewhere"
        ) from None
