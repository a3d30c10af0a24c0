"""cli.md: what `--help` prints for every command, taken from click without running any."""

from __future__ import annotations

from collections.abc import Iterator

import click

from haulier.cli.app import haulier
from reference.markdown import code, page

__all__ = ["commands", "commands_page"]

_WIDTH = 100
_INTRO = """\
Results go to standard output, messages and progress to standard error. `--json` makes a result one line of JSON with
the version of its shape. Exit codes: see [troubleshooting](../troubleshooting.md#exit-codes)."""


def commands_page() -> str:
    """The page."""
    told = []
    for context in commands():
        told += [f"## `{context.command_path}`", code(_help(context))]
    return page("The command line", _INTRO, *told)


def commands() -> Iterator[click.Context]:
    """Every command, those below it after it."""
    yield from _walk(_context(haulier, "haulier"))


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield from _walk(_context(command, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    settings = {**command.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}
    return click.Context(command, parent, name, **settings)


def _help(context: click.Context) -> str:
    return "\n".join(line.rstrip() for line in context.get_help().splitlines())
