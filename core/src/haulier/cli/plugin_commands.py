"""Commands that plugins bring, found without importing them: entry point group `haulier.commands`.

Installed distributions are looked through here and not by `importlib.metadata`, whose import alone takes as long as
all else that `haulier --help` does. The format: https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["PluginCommand", "found_commands"]

_COMMANDS = "haulier.commands"
_PLUGINS = "haulier"
_ENDINGS = (".dist-info", ".egg-info")


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
    seen: set[str] = set()
    for folder in _distributions():
        distribution = folder.stem.partition("-")[0].replace("_", "-")
        if distribution in seen:
            continue  # shadowed by the one earlier on the path
        groups = _groups(folder / "entry_points.txt")
        if groups is None:
            continue
        seen.add(distribution)
        if names is not None and not names & {*groups.get(_PLUGINS, {}), *groups.get(_COMMANDS, {})}:
            continue
        for name, home in groups.get(_COMMANDS, {}).items():
            yield PluginCommand(name, home, distribution)


def _distributions() -> Iterator[Path]:
    for place in dict.fromkeys(sys.path):
        try:
            folders = sorted(path for path in Path(place).iterdir() if path.suffix in _ENDINGS)
        except OSError:
            continue  # an archive, or a folder that is not there
        yield from folders


def _groups(path: Path) -> dict[str, dict[str, str]] | None:
    """Group -> name -> `module:attribute`, of the groups that matter; None where the file does not exist."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    groups: dict[str, dict[str, str]] = {}
    group: dict[str, str] = {}
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = groups.setdefault(line[1:-1].strip(), {})
        elif "=" in line and not line.startswith(("#", ";")):
            name, _, home = line.partition("=")
            group[name.strip()] = home.partition("[")[0].strip()
    return groups
