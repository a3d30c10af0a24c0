"""`haulier preview`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from haulier.cli.options import (
    base_url_option,
    destination_argument,
    json_option,
    limit_option,
    param_option,
    records_options,
)
from haulier.cli.printing import out, out_json, say

if TYPE_CHECKING:
    from haulier.runs.preview import Preview

__all__ = ["command"]


@click.command("preview")
@destination_argument
@records_options()
@click.option(
    "-n", "most", default=3, show_default=True, type=click.IntRange(min=1), help="Show so many requests."
)
@click.option(
    "--sample", metavar="I", type=click.IntRange(min=0), help="Show the request numbered I, from 0, alone."
)
@click.option("--full", is_flag=True, help="Show the exact bodies, nothing laid out or cut short.")
@param_option
@base_url_option
@limit_option
@json_option
def command(
    *,
    destination: str,
    records: str,
    format: str | None,
    most: int,
    sample: int | None,
    full: bool,
    params: dict[str, str],
    base_url: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Show requests exactly as they would go out; sends nothing.

    Made by the very code that runs use, from the settings as they are now. What is made of a run's id or start is
    marked as varying: it differs from run to run.
    """
    from haulier.runs.preview import preview

    shown = preview(
        destination,
        records,
        n=most,
        sample=sample,
        params=params,
        base_url=base_url,
        format=format,
        limit=limit,
    )
    if as_json:
        _print_json(destination, shown, base_url)
        return
    _print_text(destination, shown, base_url, full=full)
    if sample is not None and not shown.samples:
        raise click.UsageError(f"there is no sample {sample}: these records make fewer requests")


def _print_json(destination: str, shown: Preview, base_url: str | None) -> None:
    from haulier.runs.marking import credential_marks

    marks = credential_marks(destination, shown.samples[0], base_url=base_url) if shown.samples else None
    credential = marks and {"name": marks.credential, "headers": marks.headers, "query": marks.query}
    rejected = [
        {
            "position": one.position,
            "place": one.place,
            "reason": one.reason,
            "text": one.line.decode("utf-8", "replace"),
        }
        for one in shown.rejected
    ]
    out_json(
        {
            "samples": [one.to_dict() for one in shown.samples],
            "credential": credential,
            "rejected": rejected,
            "warnings": shown.warnings,
        }
    )


def _print_text(destination: str, shown: Preview, base_url: str | None, *, full: bool) -> None:
    from haulier.cli.showing import request_lines
    from haulier.runs.marking import credential_marks

    for one in shown.samples:
        marks = credential_marks(destination, one, base_url=base_url)
        count = len(one.positions)
        which = (
            f"record {one.positions[0]}" if count == 1 else f"{count:,} records from {one.positions[0]} on"
        )
        out(f"--- sample {one.number}: {which if count else 'no record'}")
        for line in request_lines(one, marks, full=full):
            out(line)
        out(f"\nsha256 {one.sha256} of {one.length:,} bytes" if one.length else "\nno body")
        if one.varies:
            out(f"varies from run to run: {', '.join(one.varies)}")
        out()
        if marks.problem and one is shown.samples[0]:
            say(f"warning: {marks.problem}")
    for rejected in shown.rejected:
        out(f"rejected: {rejected.reason}")
    if shown.refused > len(shown.rejected):
        out(f"... and {shown.refused - len(shown.rejected):,} more, as far as was read")
    if not shown.samples and not shown.rejected:
        out("no requests: there are no records")
    for warning in shown.warnings:
        say(f"warning: {warning}")
