"""Commands that plugins bring, found without importing them: entry point group `haulier.commands`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from haulier.plugins.installed import GROUP, entry_points

__all__ = ["PluginCommand", "found_commands"]

_COMMANDS = "haulier.commands"


class PluginCommand(NamedTuple):
    """A command of a plugin. home: `module:attribute`; refused: why it cannot be used, or empty."""

    name: str
    home: str
    distribution: str
    refused: str = ""


def found_commands(core: frozenset[str]) -> list[PluginCommand]:
    """The commands of installed plugins by name; those that `HAULIER_PLUGINS` leaves out are not there.

    core: names that no plugin may take. Where two plugins take one name, the first distribution by name has it.
    """
    taken: dict[str, str] = {}
    commands = []
    for command in sorted(_commands(), key=lambda one: (one.name, one.distribution)):
        if command.name in core:
            refused = "the name belongs to a command of Haulier itself"
        elif command.name in taken:
            refused = f"the name is taken by {taken[command.name]}"
        else:
            taken[command.name] = command.distribution
            refused = ""
        commands.append(command._replace(refused=refused))
    return commands


def _commands() -> Iterator[PluginCommand]:
    allowed = os.environ.get("HAULIER_PLUGINS")
    names = None if allowed is None else {name.strip() for name in allowed.split(",")}
    found = entry_points(_COMMANDS, GROUP)
    named_by: dict[str, set[str]] = {}
    for point in found:
        named_by.setdefault(point.distribution, set()).add(point.name)
    for point in found:
        if point.group == _COMMANDS and (names is None or names & named_by[point.distribution]):
            yield PluginCommand(point.name, point.value.partition("[")[0].strip(), point.distribution)
