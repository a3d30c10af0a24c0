"""`haulier groupings`."""

from __future__ import annotations

import click

from haulier.cli.describing import settings_lines, settings_values
from haulier.cli.options import json_option
from haulier.cli.printing import facts, out, out_json, table

__all__ = ["command"]


@click.command("groupings")
@click.argument("name", required=False)
@json_option
def command(*, name: str | None, as_json: bool) -> None:
    """List the shapes in which records share a request, or show one."""
    from haulier.runs.resolving.builtins import load_registry

    registry = load_registry()
    chosen = (
        [registry.grouping(name)] if name else [registry.groupings[key] for key in sorted(registry.groupings)]
    )
    if as_json:
        values = [
            {
                "name": one.name,
                "title": one.title,
                "description": one.description,
                "settings": settings_values(one.settings),
            }
            for one in chosen
        ]
        out_json({"groupings": values})
        return
    if not name:
        for line in table(
            ("name", "title", "about"), [(one.name, one.title, one.description) for one in chosen]
        ):
            out(line)
        return
    one = chosen[0]
    for line in facts([("name", one.name), ("title", one.title), ("about", one.description)]):
        out(line)
    for line in settings_lines(one.settings, "batching.grouping"):
        out(line)
