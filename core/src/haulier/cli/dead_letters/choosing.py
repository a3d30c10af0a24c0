"""Options that choose among dead letters, with the same words in every command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["all_option", "choosing_options"]

F = TypeVar("F", bound=Callable[..., Any])


def choosing_options(*, default: str) -> Callable[[F], F]:
    """`--only` and `--reason`."""

    def add(command: F) -> F:
        command = click.option(
            "--reason",
            metavar="TEXT",
            default="",
            help="Only those with this text in their reason, in any case.",
        )(command)
        return click.option(
            "--only",
            type=click.Choice(["rejected", "in_doubt", "all"]),
            default=default,
            show_default=True,
            help="Only those in this state.",
        )(command)

    return add


all_option = click.option("--all", "replayed", is_flag=True, help="Those too that were replayed.")
