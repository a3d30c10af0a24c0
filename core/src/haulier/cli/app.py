"""The command `haulier`: what there is, in the order in which a newcomer needs it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module

import click

from haulier import __version__
from haulier.cli.lazy import LazyGroup, Listed, Section
from haulier.cli.plugin_commands import PluginCommand, found_commands
from haulier.errors import PluginError

__all__ = ["CORE", "haulier", "plugin_commands"]


def _listed(module: str, about: str) -> Listed:
    return Listed(f"haulier.cli.{module}:command", about)


_SECTIONS = (
    Section(
        "Set up",
        {
            "init": _listed("init", "Make the current folder a project."),
            "credential": _listed("credential", "Store what authenticates you to a service, and check it."),
            "destination": _listed("destination", "Make, list, show and check destinations."),
        },
    ),
    Section(
        "What there is",
        {
            "connectors": _listed("connectors", "List the services that can be reached, or show one."),
            "endpoints": _listed("endpoints", "List the calls of a connector, or show all about one."),
            "encoders": _listed("encoders", "List the content formats a body can have, or show one."),
            "groupings": _listed(
                "groupings", "List the shapes in which records share a request, or show one."
            ),
            "plugins": _listed("plugins", "List what is installed, and what failed to load."),
        },
    ),
    Section(
        "Try",
        {
            "preview": _listed("preview", "Show requests exactly as they would go out; sends nothing."),
            "plan": _listed("plan", "Count requests, bytes and time of a run; sends nothing."),
            "test": _listed("test", "Really send one sample and show the answer; keeps nothing."),
        },
    ),
    Section(
        "Carry",
        {
            "activate": _listed("activate", "Switch a destination on."),
            "pause": _listed("pause", "Switch a destination off, also for a run under way."),
            "run": _listed("run", "Carry records to a destination; goes on where it stopped."),
            "follow": _listed("follow", "Go on asking for the results of what a service has accepted."),
        },
    ),
    Section(
        "Look back",
        {
            "runs": _listed("runs", "List the runs of this project, and prune old ones."),
            "report": _listed("report", "Show what became of the records of a run."),
            "dead-letters": _listed(
                "dead_letters", "List, show, export and replay records that were not delivered."
            ),
        },
    ),
)
CORE = frozenset(name for section in _SECTIONS for name in section.commands)


@cache
def plugin_commands() -> tuple[PluginCommand, ...]:
    """The commands that installed plugins bring, usable or not."""
    return tuple(found_commands(CORE))


class _Haulier(LazyGroup):
    """Core's commands, and after them those of plugins."""

    def sections(self) -> Sequence[Section]:
        usable = {one.name: one for one in plugin_commands() if not one.refused}
        if not usable:
            return _SECTIONS
        listed = {name: Listed(one.home, f"from {one.distribution}") for name, one in usable.items()}
        return (*_SECTIONS, Section("From plugins", listed))

    def load(self, name: str) -> click.Command | None:
        if name in CORE:
            return super().load(name)
        for one in plugin_commands():
            if one.name == name and not one.refused:
                return _import(one)
        return None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        refused = [one for one in plugin_commands() if one.refused]
        for one in refused:
            formatter.write_paragraph()
            formatter.write_text(f"Left out: `{one.name}` of {one.distribution}, as {one.refused}.")


def _import(one: PluginCommand) -> click.Command:
    module, _, attribute = one.home.partition(":")
    try:
        found: object = import_module(module)
        for step in filter(None, attribute.split(".")):
            found = getattr(found, step)
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything
        raise PluginError(
            f"command {one.name} of {one.distribution} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, click.Command):
        raise PluginError(f"command {one.name} of {one.distribution}: {one.home} is no click command")
    return found


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"haulier {__version__}")
        ctx.exit()


@click.group(
    cls=_Haulier,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version.",
)
def haulier() -> None:
    """Carry records to any HTTP API, and know afterwards what happened to every one.

    A newcomer's way: init, credential add, destination new, preview, test, activate, run, report.
    """
