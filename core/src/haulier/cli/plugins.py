"""`haulier plugins`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from haulier.cli.options import json_option
from haulier.cli.printing import out, out_json, wrapped

if TYPE_CHECKING:
    from haulier.cli.plugin_commands import PluginCommand
    from haulier.plugins.offers import BrokenPlugin, Plugin
    from haulier.plugins.registry import Registry

__all__ = ["command"]


@click.command("plugins")
@json_option
def command(*, as_json: bool) -> None:
    """List what is installed, and what failed to load."""
    from haulier.cli.app import plugin_commands
    from haulier.runs.resolving.builtins import load_registry

    registry = load_registry()
    commands = plugin_commands()
    if as_json:
        told = [
            {"name": one.name, "distribution": one.distribution, "refused": one.refused} for one in commands
        ]
        plugins = [{**_whence(one), "offers": _offers(one)} for one in registry.plugins]
        broken = [{**_whence(one), "error": one.error} for one in registry.broken]
        out_json({"plugins": plugins, "broken": broken, "left_out": registry.left_out, "commands": told})
        return
    for line in _lines(registry, commands):
        out(line)


def _lines(registry: Registry, commands: Sequence[PluginCommand]) -> Iterator[str]:
    for plugin in registry.plugins:
        yield f"{plugin.name}  ({f'{plugin.distribution} {plugin.version}'.strip()})"
        for word, names in _offers(plugin).items():
            yield from wrapped(f"{word}: {', '.join(names)}", "    ")
        mine = [one for one in commands if one.distribution == plugin.distribution and not one.refused]
        yield from (f"    command: haulier {one.name}" for one in mine)
    for broken in registry.broken:
        yield f"{broken.name}  ({f'{broken.distribution} {broken.version}'.strip()}) FAILED: {broken.error}"
    for one in commands:
        if one.refused:
            yield f"command {one.name} of {one.distribution} is left out: {one.refused}"
    if registry.left_out:
        yield f"left out by HAULIER_PLUGINS: {', '.join(registry.left_out)}"


def _whence(plugin: Plugin | BrokenPlugin) -> dict[str, str]:
    return {"name": plugin.name, "distribution": plugin.distribution, "version": plugin.version}


def _offers(plugin: Plugin) -> dict[str, list[str]]:
    offers: dict[str, list[str]] = {}
    for word, name in plugin.offers():
        offers.setdefault(word, []).append(name)
    return offers
