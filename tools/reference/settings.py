"""Settings models in words: every setting with its type, its default and what it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from annotated_types import BaseMetadata
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from reference.markdown import table

__all__ = ["Links", "default_words", "settings_table", "type_words"]

# Nested model -> what is told as its type: a link to the table that describes it.
Links: TypeAlias = Mapping[type[BaseModel], str]
_WORDS = {
    Any: "anything",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    SecretStr: "secret text",
}
_NAMES = {"JsonValue": "JSON"}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def settings_table(
    model: type[BaseModel],
    *,
    leave_out: frozenset[str] = frozenset(),
    links: Links | None = None,
    head: str = "setting",
) -> str:
    """A table of the settings of a model."""
    rows = [
        (
            f"`{field.alias or name}`",
            type_words(field.annotation, field.metadata, links),
            default_words(field),
            field.description or _first_line(field.annotation),
        )
        for name, field in model.model_fields.items()
        if name not in leave_out
    ]
    return table((head, "type", "default", "meaning"), rows) or "There is nothing to set."


def _first_line(annotation: Any) -> str:
    """What the nested model of a setting says of itself."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.__doc__:
            return kind.__doc__.splitlines()[0]
    return ""


def default_words(field: FieldInfo) -> str:
    """What counts where nothing is written."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        shown = value.model_dump(exclude_defaults=True)
        return f"`{shown['name']}`" if set(shown) == {"name"} else "its defaults"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
    if isinstance(value, str):
        # A line feed and the like as people write them between double quotes.
        value = json.dumps(value, ensure_ascii=False)[1:-1]
    return f"`{value}`" if value and value is not PydanticUndefined else ""


def type_words(  # noqa: PLR0911 - one line a kind of type
    annotation: Any, metadata: Sequence[Any] = (), links: Links | None = None
) -> str:
    """A type as people who write YAML call it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _name(annotation, metadata, links or {})
    if origin is Annotated:
        return type_words(arguments[0], [*metadata, *arguments[1:]], links)
    if origin in (Union, UnionType):
        kinds = [type_words(one, metadata, links) for one in arguments if one is not NoneType]
        return " or ".join(dict.fromkeys(kinds))
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if issubclass(origin, list | tuple):
        return f"list of {type_words(arguments[0], (), links)}"
    if issubclass(origin, Mapping):
        return f"mapping of {type_words(arguments[0])} to {type_words(arguments[1], (), links)}"
    return "function"


def _name(kind: Any, metadata: Sequence[Any], links: Links) -> str:
    if kind in links:
        return links[kind]
    name = getattr(kind, "__name__", str(kind))
    return _WORDS.get(kind, _NAMES.get(name, name)) + _bounds(metadata)


def _bounds(metadata: Sequence[Any]) -> str:
    told = []
    for one in metadata:
        for bound in one.metadata if isinstance(one, FieldInfo) else [one]:
            told += [
                f"{words} {getattr(bound, name):,}"
                for name, words in _BOUNDS.items()
                if isinstance(bound, BaseMetadata) and getattr(bound, name, None) is not None
            ]
    return f", {' and '.join(told)}" if told else ""
