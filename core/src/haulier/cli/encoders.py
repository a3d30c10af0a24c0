"""`haulier encoders`."""

from __future__ import annotations

import click

from haulier.cli.describing import settings_lines, settings_values
from haulier.cli.options import json_option
from haulier.cli.printing import facts, out, out_json, table

__all__ = ["command"]


@click.command("encoders")
@click.argument("name", required=False)
@json_option
def command(*, name: str | None, as_json: bool) -> None:
    """List the content formats a body can have, or show one."""
    from haulier.runs.resolving.builtins import load_registry

    registry = load_registry()
    chosen = (
        [registry.encoder(name)] if name else [registry.encoders[key] for key in sorted(registry.encoders)]
    )
    if as_json:
        fields = ("name", "title", "description", "media_type", "charset", "carries_batches", "files")
        values = [
            {**{field: getattr(one, field) for field in fields}, "settings": settings_values(one.settings)}
            for one in chosen
        ]
        out_json({"encoders": values})
        return
    if not name:
        rows = [(one.name, one.media_type, one.carries_batches, one.files, one.title) for one in chosen]
        for line in table(("name", "media type", "batches", "files", "title"), rows):
            out(line)
        return
    one = chosen[0]
    about = [
        ("name", one.name),
        ("title", one.title),
        ("about", one.description),
        ("media type", one.media_type),
        ("charset", one.charset),
    ]
    for line in facts([*about, ("batches", one.carries_batches), ("files", one.files)]):
        out(line)
    for line in settings_lines(one.settings, "format_settings"):
        out(line)
