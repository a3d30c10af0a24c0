"""Asking the person at the keyboard; where there is none, saying which option to give instead."""

from __future__ import annotations

import sys

import click

from haulier.cli.printing import clean, say
from haulier.errors import ConfigurationError

__all__ = ["ask", "choose", "confirm", "interactive"]


def interactive() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(warning: str, *, yes: bool) -> None:
    """Go on only where a person says so, or `--yes` did; nothing is asked where `warning` is empty."""
    if not warning or yes:
        return
    if not interactive():
        raise ConfigurationError(f"{warning} Nothing was sent; give --yes to go on without being asked")
    say(f"warning: {warning}")
    if not click.confirm("Go on?", default=False, err=True):
        raise ConfigurationError("nothing was sent")


def ask(question: str, *, default: str = "", secret: bool = False) -> str:
    """One answer; an empty one only where that is the default, written as empty."""
    answer: str = click.prompt(
        clean(question),
        default="" if secret else default,
        show_default=bool(default),
        hide_input=secret,
        err=True,
    )
    return answer.strip()


def choose(question: str, words: list[str], *, default: str = "") -> str:
    """One of some words."""
    say(f"{question}: {', '.join(words)}")
    while True:
        answer = ask("choose", default=default or (words[0] if len(words) == 1 else ""))
        if answer in words:
            return answer
        say(f"{answer!r} is none of them")
