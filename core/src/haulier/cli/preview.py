"""`haulier preview`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from haulier.cli.importing import importing
from haulier.cli.options import (
    WholeNumber,
    base_url_option,
    destination_argument,
    json_option,
    limit_option,
    param_option,
    records_options,
    trust_code_option,
)
from haulier.cli.printing import alike, out, out_json, say

if TYPE_CHECKING:
    from haulier.runs.previews.marking import Marks
    from haulier.runs.previews.preview import Preview, Sample

__all__ = ["command"]


@click.command("preview")
@destination_argument
@records_options()
@click.option(
    "-n", "most", default=3, show_default=True, type=WholeNumber(min=1), help="Show so many requests."
)
@click.option(
    "--sample", metavar="I", type=WholeNumber(min=0), help="Show the request numbered I, from 0, alone."
)
@click.option("--full", is_flag=True, help="Show the exact bodies, nothing laid out or cut short.")
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the bodies there as files, byte for byte.",
)
@click.option(
    "--curl",
    is_flag=True,
    help="Show each request as a curl command that sends the same bytes, bodies from the files of --out; the "
    "credential's values are shell variables.",
)
@click.option(
    "--fetch", is_flag=True, help="Fetch the files that records name by URL, up to the last one shown."
)
@click.option(
    "--watch", is_flag=True, help="Show what changes whenever destination or records do, until Ctrl-C."
)
@param_option
@trust_code_option
@base_url_option
@limit_option
@json_option
def command(
    *,
    destination: str,
    records: str,
    most: int,
    full: bool,
    folder: Path | None,
    curl: bool,
    fetch: bool,
    watch: bool,
    base_url: str | None,
    as_json: bool,
    **wanted: Any,
) -> int | None:
    """Show requests exactly as they would go out; sends nothing.

    Made by the very code that runs use, from the settings as they are now. What is made of a run's id or start is
    marked as varying: it differs from run to run. Files that records name by URL are fetched with --fetch only.
    """
    with importing():
        from haulier.runs.previews.marking import credential_marks
        from haulier.runs.previews.preview import prepared, preview_of

    _check_how_many(wanted["sample"])
    if fetch:
        from tempfile import TemporaryDirectory

        into = click.get_current_context().with_resource(TemporaryDirectory())
        wanted["fetch_into"] = Path(into)

    def made() -> tuple[Preview, list[Marks], Mapping[int, Path]]:
        ready = prepared(destination, base_url=base_url)
        shown = preview_of(ready, records, n=most, **wanted)
        marked = credential_marks(ready, shown.samples)
        return shown, marked, _saved(shown, folder, needed=curl)

    if watch:
        _check_watch(records, as_json=as_json)

        def all_lines() -> list[str]:
            shown, marked, files = made()
            shown_lines = _lines(shown, marked, files, curl=curl, full=full)
            return [*shown_lines, *_warnings(shown, marked)]

        return _watched(destination, records, all_lines)
    shown, marked, files = made()
    if as_json:
        _print_json(shown, marked, files)
        return None
    for line in _lines(shown, marked, files, curl=curl, full=full):
        out(line)
    for warning in _warnings(shown, marked):
        say(warning)
    return None


def _lines(
    shown: Preview, marked: list[Marks], files: Mapping[int, Path], *, curl: bool, full: bool
) -> Iterator[str]:
    for one, marks in zip(shown.samples, marked, strict=True):
        yield from _curl_lines(one, marks, files) if curl else _sample_lines(one, marks, files, full=full)
    yield from _later_lines(shown)
    # What is no command is a comment, so that a shell can be handed the whole.
    yield from (f"# {' '.join(line.split())}" if curl else line for line in _rejected_lines(shown))


def _check_how_many(sample: int | None) -> None:
    asked = click.get_current_context().get_parameter_source("most") is not ParameterSource.DEFAULT
    if sample is not None and asked:
        raise click.UsageError("--sample shows one request alone: leave out -n")


def _saved(shown: Preview, folder: Path | None, *, needed: bool) -> Mapping[int, Path]:
    """The files of the bodies, by the number of their sample."""
    if folder is None:
        if needed and any(one.length for one in shown.samples):
            raise click.UsageError("--curl sends bodies from files: say with --out DIR where to write them")
        return {}
    from haulier.runs.previews.sample_files import save_bodies

    return save_bodies(shown.samples, folder)


def _sample_lines(one: Sample, marks: Marks, files: Mapping[int, Path], *, full: bool) -> Iterator[str]:
    from haulier.cli.showing import records_text, request_lines

    yield f"--- sample {one.number}: {records_text(one.positions)}"
    yield from request_lines(one, marks, full=full)
    yield ""
    # A file stands in it as its own hash, so `sha256sum` of the bytes on the wire finds another one.
    of = "of" if isinstance(one.body, bytes) else "of the parts, each file as its own sha256, in a body of"
    if one.sha256 or not one.length:
        yield f"sha256 {one.sha256} {of} {one.length:,} bytes" if one.length else "no body"
    if one.number in files:
        yield f"body in {files[one.number]}"
    if one.varies:
        yield f"varies from run to run: {', '.join(one.varies)}"
    yield ""


def _curl_lines(one: Sample, marks: Marks, files: Mapping[int, Path]) -> Iterator[str]:
    from haulier.runs.previews.curl import curl_command

    yield f"# sample {one.number}"
    yield from curl_command(one, marks, files.get(one.number)).split("\n")
    yield ""


def _later_lines(shown: Preview) -> Iterator[str]:
    for stage in shown.later:
        each = f", for each element at {stage.each}" if stage.each is not None else ""
        yield f"--- then stage {stage.name}, of what was {stage.after}{each}: made from answers"
        yield stage.sends
        yield from (
            f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in stage.values.items()
        )
        yield ""


def _rejected_lines(shown: Preview) -> Iterator[str]:
    for told in alike(rejected.told for rejected in shown.rejected):
        yield f"rejected: {told}"
    if shown.refused > len(shown.rejected):
        yield f"... and {shown.refused - len(shown.rejected):,} more, as far as was read"
    if not shown.samples and not shown.rejected:
        yield "no requests: there are no records"


def _warnings(shown: Preview, marked: list[Marks]) -> list[str]:
    problems = [one.problem for one in marked[:1] if one.problem]
    return [f"warning: {warning}" for warning in (*problems, *shown.warnings)]


def _check_watch(records: str, *, as_json: bool) -> None:
    if records == "-":
        raise click.UsageError(
            "--watch reads the records again and again, so they cannot come from standard input"
        )
    if "://" not in records and not Path(records).exists():
        raise click.UsageError(f"--watch: there is no file {records}; is its name spelt so?")
    if as_json:
        raise click.UsageError("--watch shows changes for people; leave out --json")


def _watched(destination: str, records: str, lines: Callable[[], list[str]]) -> int:
    from haulier.cli.watching import watch
    from haulier.runs.resolving.site import file_of

    return watch([file_of(destination), Path(records)], lines)


def _print_json(shown: Preview, marked: list[Marks], files: Mapping[int, Path]) -> None:
    marks = marked[0] if marked else None
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
            "samples": [
                {**one.to_dict(), **({"file": str(files[one.number])} if one.number in files else {})}
                for one in shown.samples
            ],
            "credential": credential,
            "rejected": rejected,
            "warnings": shown.warnings,
            "later": [
                {name: getattr(stage, name) for name in stage.__struct_fields__} for stage in shown.later
            ],
        }
    )
