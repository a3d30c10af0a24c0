"""`haulier connectors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from haulier.cli.options import json_option
from haulier.cli.printing import facts, out, out_json, table

if TYPE_CHECKING:
    from haulier.model.connector import Connector
    from haulier.plugins.registry import Registry

__all__ = ["command"]


@click.command("connectors")
@click.argument("name", required=False)
@json_option
def command(*, name: str | None, as_json: bool) -> None:
    """List the services that can be reached, or show one."""
    from haulier.runs.resolving.builtins import load_registry

    registry = load_registry()
    chosen = (
        [registry.connector(name)]
        if name
        else [registry.connectors[key] for key in sorted(registry.connectors)]
    )
    if as_json:
        out_json({"connectors": [_values(one, registry) for one in chosen]})
        return
    if name:
        _show(chosen[0], registry)
        return
    rows = [
        (one.name, one.title, len(registry.endpoints_of(one.name)), _authentication(one)) for one in chosen
    ]
    for line in table(("name", "title", "endpoints", "credential"), rows):
        out(line)


def _show(one: Connector, registry: Registry) -> None:
    limits = ", ".join(f"{name} {value}" for name, value in one.limits.items())
    lines = facts(
        [
            ("name", one.name),
            ("title", one.title),
            ("about", one.description),
            ("address", one.origin or "each destination names its own"),
            ("credential", _authentication(one)),
            ("limits", limits or "none unless a destination sets them"),
            *([("website", one.website)] if one.website else []),
        ]
    )
    for line in lines:
        out(line)
    if registry.endpoints_of(one.name):
        out()
        for line in table(
            ("endpoint", "method", "path"),
            [(each.name, each.method, each.path) for each in registry.endpoints_of(one.name)],
        ):
            out(line)
        out(f"\nall about one: haulier endpoints {one.name} NAME")


def _authentication(one: Connector) -> str:
    return one.credential_type or "of any type"


def _values(one: Connector, registry: Registry) -> dict[str, object]:
    return {
        **one.model_dump(mode="json", exclude={"warnings"}),
        "endpoints": [each.name for each in registry.endpoints_of(one.name)],
    }
