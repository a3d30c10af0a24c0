"""Settings of groupings and encoders, described from their own models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from haulier.cli.printing import wrapped

if TYPE_CHECKING:
    from haulier.model.parts import Settings

__all__ = ["settings_lines", "settings_values"]


def settings_values(model: type[Settings]) -> list[dict[str, Any]]:
    """name, description, required, default and type of each setting."""
    schema = model.model_json_schema()["properties"] if model.model_fields else {}
    return [
        {
            "name": name,
            "description": field.description or "",
            "required": field.is_required(),
            "default": None if field.is_required() else field.get_default(call_default_factory=True),
            "type": schema.get(name, {}).get("type", ""),
        }
        for name, field in model.model_fields.items()
    ]


def settings_lines(model: type[Settings], where: str) -> Iterator[str]:
    """The settings for people. where: the place in a destination file they are written at."""
    values = settings_values(model)
    if not values:
        yield "settings  none"
        return
    yield f"\nsettings (in {where})"
    for one in values:
        needed = "required" if one["required"] else f"default {one['default']!r}"
        yield f"  {one['name']}  ({', '.join(filter(None, (one['type'], needed)))})"
        yield from wrapped(one["description"], "      ")
