"""Arguments and options that several commands share, each with the same words everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

__all__ = [
    "Seconds",
    "WholeNumber",
    "base_url_option",
    "destination_argument",
    "json_option",
    "leave_in_doubt_option",
    "limit_option",
    "pairs",
    "param_option",
    "records_options",
    "set_option",
    "state_option",
    "trust_code_option",
    "yes_option",
]

F = TypeVar("F", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """A number of seconds; one that is none, such as nan, is refused, and so is an infinite one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; click.BadParameter where it cannot be waited for."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number of seconds that can be waited for.", param, ctx)
        return number


class WholeNumber(click.IntRange):
    """A whole number of at least `min`; called so in help and messages."""

    name = "whole number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; click.BadParameter where it is none, or smaller."""
        try:
            number: int = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)!r} is not a valid whole number of at least {self.min}.", param, ctx)
        return number


destination_argument = click.argument("destination", metavar="DEST")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for machines.")
state_option = click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Keep ledgers and activation there instead of in the project's .haulier.",
)
base_url_option = click.option(
    "--base-url",
    metavar="URL",
    help="Replace origin and base path of the service: an emulator, a region, a gateway.",
)
limit_option = click.option(
    "--limit", metavar="N", type=WholeNumber(min=0), help="Take no more than the first N records."
)
trust_code_option = click.option(
    "--trust-code",
    is_flag=True,
    expose_value=False,
    callback=lambda context, option, said: _trust(context) if said else None,
    help="Let the destination's code out of the sandbox where it says `runner: trusted`: it can do all that you may.",
)
leave_in_doubt_option = click.option(
    "--leave-in-doubt",
    is_flag=True,
    help="Go on where a plugin was replaced meanwhile and makes other bodies: what may have gone out stays in doubt.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask before what cannot be undone.")


def _trust(context: click.Context) -> None:
    from haulier.runs.previews.trust import trusting_code

    context.with_resource(trusting_code())


def pairs(_: click.Context, option: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    """`name=value` texts as a mapping; a later one of the same name counts."""
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{text!r} is not name=value", param=option)
        found[name] = value
    return found


param_option = click.option(
    "--param",
    "params",
    metavar="NAME=VALUE",
    multiple=True,
    callback=pairs,
    help="Fill {param.NAME}; repeatable.",
)
set_option = click.option(
    "--set",
    "changes",
    metavar="PATH=VALUE",
    multiple=True,
    callback=pairs,
    help="Another setting of the file, such as limits.max_in_flight=4. A value that is JSON counts as JSON, "
    "everything else as text; null takes the setting away. Repeatable.",
)


def records_options(*, required: bool = True) -> Callable[[F], F]:
    """`--records` and `--format`."""

    def add(command: F) -> F:
        command = click.option(
            "--format",
            "format",
            metavar="FORMAT",
            help="Format of the records where the file's ending does not tell: jsonl, json, csv, tsv, or ssv for "
            "semicolons.",
        )(command)
        return click.option(
            "--records",
            metavar="FILE|-",
            required=required,
            help="The records: a JSONL, JSON or CSV file, or - for input.",
        )(command)

    return add
