"""`haulier destination new`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from haulier.cli.asking import interactive
from haulier.cli.options import WholeNumber, json_option, pairs, set_option
from haulier.cli.printing import out, out_json, say

if TYPE_CHECKING:
    from haulier.runs.destinations.making import Made

__all__ = ["command"]

_METHODS = click.Choice(["GET", "POST", "PUT", "PATCH", "DELETE"], case_sensitive=False)


def _words(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> list[str]:
    return [word.strip() for text in given for word in text.split(",") if word.strip()]


_MANY: dict[str, Any] = {"multiple": True}
_CALL = (
    click.option("--description", metavar="TEXT", help="For people."),
    click.option("--connector", metavar="NAME", help="The service (see: haulier connectors)."),
    click.option(
        "--endpoint", metavar="NAME", help="The call, by template (see: haulier endpoints CONNECTOR)."
    ),
    click.option(
        "--url", metavar="URL", help="The call, by hand: http(s), with {record.NAME} in path and query."
    ),
    click.option("--method", type=_METHODS, help="Method of a call by hand; POST when left out."),
    click.option(
        "--content-format", metavar="NAME", help="json, form, multipart, ... (see: haulier encoders)."
    ),
    click.option("--headers", metavar="A:1,B:2", help="Header pairs."),
    click.option("--credential", metavar="NAME", help="A stored credential (see: haulier credential list)."),
    click.option(
        "--key", metavar="ATTRIBUTE", help="The attribute that names a record in reports and answers."
    ),
)
_SENT = (
    click.option(
        "--param",
        "params",
        metavar="NAME=VALUE",
        callback=pairs,
        help="A parameter of the endpoint; repeatable.",
        **_MANY,
    ),
    click.option(
        "--exclude",
        metavar="A,B",
        callback=_words,
        help="Attributes that are not sent; repeatable.",
        **_MANY,
    ),
)
_BATCHES = (
    click.option(
        "--batch-size", metavar="N", type=WholeNumber(min=1), help="Send up to N records a request."
    ),
    click.option("--grouping", metavar="NAME", help="Shape of a batch (see: haulier groupings)."),
    click.option(
        "--grouping-setting",
        "grouping_settings",
        metavar="NAME=VALUE",
        callback=pairs,
        help="A setting of the grouping; repeatable.",
        **_MANY,
    ),
    click.option(
        "--item",
        metavar="ATTRIBUTE",
        help="Send one attribute's value per record instead of the whole record.",
    ),
)
_REST = (
    click.option(
        "--output",
        "outputs",
        metavar="TYPE:PATH",
        help="Where answers go: jsonl:out/answers.jsonl.",
        **_MANY,
    ),
    click.option("--files-root", metavar="FOLDER", help="The folder below which records may name files."),
    click.option("--base-url", metavar="URL", help="Replace origin and base path of the service."),
    set_option,
    click.option("--dry-run", is_flag=True, help="Show the file that would be written; write nothing."),
    json_option,
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options in the order of help: the call, what is sent, how it is batched, where answers go."""
    for option in reversed((*_CALL, *_SENT, *_BATCHES, *_REST)):
        command = option(command)
    return command


@click.command("new")
@click.argument("name", required=False)
@_options
def command(*, name: str | None, dry_run: bool, as_json: bool, **chosen: Any) -> None:
    """Make a destination: from an endpoint template or by hand.

    Both ways end in the same kind of file, destinations/NAME.yaml, which can be read, edited and versioned. On a
    terminal what is missing is asked for. A new destination is off until `haulier activate`.
    """
    from haulier.cli.destination.questions import ask_for_rest
    from haulier.runs.destinations.making import Choices, make_destination

    complete = bool(name) and bool(chosen["endpoint"] or chosen["url"])
    if not complete and interactive() and not as_json:
        name, chosen = ask_for_rest(name, chosen)
    if not name:
        raise click.UsageError("give the destination a name: haulier destination new NAME ...")
    made = make_destination(Choices(name=name, **chosen), save=not dry_run)
    _print(made, as_json=as_json)


def _print(made: Made, *, as_json: bool) -> None:
    from haulier.io.project import shown

    name = made.destination.name
    if as_json:
        path = str(made.path) if made.path else None
        out_json({"name": name, "path": path, "text": made.text, "warnings": made.warnings})
        return
    out(made.text.rstrip())
    for warning in made.warnings:
        say(f"warning: {warning}")
    if made.path is not None:
        say(f"saved {shown(made.path)}; look at what it sends: haulier preview {name} --records FILE")
