"""`haulier test`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from haulier.cli.options import (
    WholeNumber,
    base_url_option,
    destination_argument,
    json_option,
    param_option,
    records_options,
    set_option,
    trust_code_option,
    yes_option,
)
from haulier.cli.printing import out, out_json, say

if TYPE_CHECKING:
    from haulier.runs.destinations.trying import TestAnswer
    from haulier.runs.resolving.site import DestinationLike

__all__ = ["EXIT_OF_VERDICT", "answer_values", "command"]

# As a run would end with such an answer.
EXIT_OF_VERDICT = {"delivered": 0, "accepted": 0, "rejected": 4, "unknown": 5}
_STOPPED = 3


@click.command("test")
@destination_argument
@records_options()
@click.option(
    "--sample",
    metavar="I",
    default=0,
    show_default=True,
    type=WholeNumber(min=0),
    help="Send the request numbered I.",
)
@click.option("--edit", is_flag=True, help="Change the body in $EDITOR before it goes out.")
@click.option(
    "--payload",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Send this file's bytes as the body instead.",
)
@set_option
@param_option
@trust_code_option
@base_url_option
@yes_option
@json_option
def command(
    *,
    destination: str,
    records: str,
    format: str | None,
    sample: int,
    edit: bool,
    payload: Path | None,
    changes: dict[str, str],
    params: dict[str, str],
    base_url: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Really send one sample and show the answer; keeps nothing.

    No ledger, no output and no saved setting is touched, and the destination need not be active. With --set settings
    are changed for this test only.
    """
    from haulier.cli.asking import confirm
    from haulier.runs.destinations.adjusting import adjusted
    from haulier.runs.destinations.caution import irreversible, left_behind
    from haulier.runs.destinations.trying import test_send

    chosen = adjusted(destination, changes)
    made: dict[str, Any] = {"sample": sample, "params": params, "base_url": base_url, "format": format}
    body = payload.read_bytes() if payload is not None else None
    if edit:
        body = _edited(chosen, records, body, made)
    confirm(irreversible(chosen, base_url=base_url, first_only=True), yes=yes)
    if stays := left_behind(chosen, base_url=base_url):
        say(f"warning: {stays}")
    answer = test_send(chosen, records, payload=body, **made)
    _print(answer, _sent_instead(answer, body, payload), as_json=as_json)
    return EXIT_OF_VERDICT.get(answer.verdict, _STOPPED)


def _edited(chosen: DestinationLike, records: str, body: bytes | None, made: dict[str, Any]) -> bytes:
    """The sample's body as a person left it in the editor."""
    from haulier.cli.editing import edited
    from haulier.runs.previews.preview import preview

    if records == "-":
        raise click.UsageError("--edit needs the keyboard, so the records cannot come from standard input")
    if body is None:
        samples = preview(chosen, records, **made).samples
        if not samples:
            raise click.UsageError(f"there is no sample {made['sample']}: these records make fewer requests")
        found = samples[0].uncompressed
        if not isinstance(found, bytes) or not samples[0].length:
            raise click.UsageError(
                f"the body of this {samples[0].method} cannot be edited as text; change it with --set"
            )
        body = found
    try:
        body.decode()
    except UnicodeDecodeError:
        raise click.UsageError("this body is no text; replace it with --payload FILE") from None
    changed = edited(body)
    if changed == body:
        say("the body was not changed")
    return changed


def _sent_instead(answer: TestAnswer, body: bytes | None, payload: Path | None) -> str:
    """What went out in place of the body that the records make; empty where that one did."""
    from haulier.cli.showing import records_text

    if body is None:
        return ""
    origin = str(payload) if payload is not None else "the editor"
    held = f"{len(body):,} bytes" if body else "an empty body"
    return f"sent {held} from {origin} in place of {records_text(answer.sample.positions)}"


def _print(answer: TestAnswer, instead: str, *, as_json: bool) -> None:
    from haulier.cli.showing import answer_lines

    if as_json:
        out_json(answer_values(answer))
        return
    out(f"{answer.sample.method} {answer.sample.url}")
    if instead:
        out(instead)
    for line in answer_lines(answer):
        out(line)


def answer_values(answer: TestAnswer) -> dict[str, Any]:
    """An answer as JSON values: its body as text, or base64 where it is none."""
    import msgspec

    try:
        body: Any = answer.body.decode()
    except UnicodeDecodeError:
        body = {"base64": msgspec.to_builtins(answer.body)}
    return {
        "sample": answer.sample.to_dict(),
        "status": answer.status,
        "headers": answer.headers,
        "body": body,
        "seconds": answer.seconds,
        "verdict": answer.verdict,
        "reason": answer.reason,
        "taken": answer.taken,
    }
