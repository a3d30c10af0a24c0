"""`haulier imagga cleanup`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from haulier_imagga.commands.uploads import Cleaned

__all__ = ["cleanup"]

_MOST_NAMED = 10  # ids with the reason why they are not gone


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False)
)
@click.option("--credential", default="imagga", show_default=True, help="Name of a stored credential.")
@click.option("--base-url", metavar="URL", help="In place of the service: an emulator or a gateway.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def cleanup(
    *, files: tuple[str, ...], credential: str, base_url: str | None, yes: bool, as_json: bool
) -> int:
    """Delete uploads that were left behind, by the `upload_id` of the lines in FILE.

    FILE is what an output of upload-image wrote. Uploads that are gone already, by themselves after 24 hours or
    deleted before, are counted as gone: the command may be given again, and goes on where it was stopped. Ends with 0
    all gone, 2 lines but no id among them, 3 stopped, 4 some refused, 5 some in doubt, 130 interrupted.
    """
    # Imported here, so that listing the commands loads nothing that sends.
    from haulier_imagga.commands.uploads import delete_uploads, upload_ids  # noqa: PLC0415 - see above

    found, without = upload_ids(files)
    if without and not found:
        raise click.UsageError(
            f"none of the {without:,} lines of {', '.join(files)} holds an `upload_id`; give what an output of "
            "upload-image wrote"
        )
    if found and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{len(found):,} uploads would be deleted for good; say so with --yes")
        click.confirm(f"Delete {len(found):,} uploads? They cannot be recovered.", abort=True, err=True)
    cleaned = delete_uploads(found, credential=credential, base_url=base_url)
    if as_json:
        counts = {"version": 1, "uploads": len(found), "lines_without": without, **cleaned.counts}
        click.echo(json.dumps(counts))
    else:
        click.echo(_in_words(cleaned))
    if without:
        click.echo(f"{without:,} lines held no upload_id", err=True)
    _explain(cleaned, credential)
    if cleaned.interrupted:
        raise click.Abort
    return cleaned.report.exit_code if cleaned.report else 0


def _in_words(cleaned: Cleaned) -> str:
    uploads, counts = cleaned.uploads, cleaned.counts
    if uploads and counts["not_found"] == uploads:
        return f"{uploads:,} uploads: none of them was found"
    parts = [f"{counts['gone']:,} are gone", f"{counts['refused']:,} were refused"]
    if counts["not_found"]:
        parts[0] += f" (of these {counts['not_found']:,} were not found)"
    if counts["in_doubt"]:
        parts.append(f"{counts['in_doubt']:,} are in doubt")
    if counts["left"]:
        parts.append(f"{counts['left']:,} are left")
    return f"{uploads:,} uploads: {', '.join(parts)}"


def _explain(cleaned: Cleaned, credential: str) -> None:
    """What a person should know of what is not gone, on standard error."""
    report = cleaned.report
    if cleaned.not_found:
        click.echo(
            "not found (404): gone already, or uploaded with another account than that of credential "
            f"`{credential}`",
            err=True,
        )
    for upload, reason in cleaned.unhappy[:_MOST_NAMED]:
        click.echo(f"{upload}: {reason}", err=True)
    if report and report.rejected + report.in_doubt:
        click.echo(f"which ids, and why: haulier dead-letters list {report.run_id}", err=True)
    if report and report.reason:
        click.echo(f"stopped: {report.reason}", err=True)
    if cleaned.counts["left"]:
        click.echo("to go on with those that are left: the same command again", err=True)
