"""Groups of commands that import a command only when it runs; names and one-line helps stand in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from importlib import import_module
from typing import Any, NamedTuple

import click

from haulier.cli.streams import apart
from haulier.model.closest import closest

__all__ = ["LazyGroup", "Listed", "Section"]


class Listed(NamedTuple):
    """A command as help lists it. home: `module:attribute` it is imported from."""

    home: str
    help: str


class Section(NamedTuple):
    """Commands that belong together in a help page."""

    title: str
    commands: Mapping[str, Listed]


class LazyGroup(click.Group):
    """A group whose commands are known by name and help before they are imported."""

    def __init__(self, *args: Any, sections: Sequence[Section] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._sections = tuple(sections)

    def sections(self) -> Sequence[Section]:
        """What there is, as help shows it."""
        return self._sections

    def load(self, name: str) -> click.Command | None:
        """Import a command; None where there is none of that name. What plugins print is no result of it."""
        for section in self._sections:
            if name in section.commands:
                module, _, attribute = section.commands[name].home.partition(":")
                command: click.Command = copy(getattr(import_module(module), attribute))
                if command.callback is not None:
                    command.callback = apart(command.callback)
                return command
        return None

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        return self.load(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of help."""
        return [name for section in self.sections() for name in section.commands]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to run; an unknown one is answered with the nearest name, or the way to the list."""
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            near = closest(name, self.list_commands(ctx))
            hint = f"did you mean `{near[0]}`?" if near else f"see: {ctx.command_path} --help"
            raise click.UsageError(f"there is no command `{name}`; {hint}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands section by section, without importing any."""
        sections = self.sections()
        width = max(len(name) for section in sections for name in section.commands)
        for section in sections:
            with formatter.section(section.title):
                formatter.write_dl(
                    [(f"{name:<{width}}", listed.help) for name, listed in section.commands.items()]
                )
