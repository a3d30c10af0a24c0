"""A payload as named fields in order: what `form` and `multipart` share. A settings model, and one walk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Raw
from pydantic import Field

from haulier.errors import DestinationError, RecordError
from haulier.model.parts import Payload, Settings
from haulier.model.request import FilePart
from haulier.pipeline.encoding.json import json_text
from haulier.pipeline.encoding.values import Booleans, is_nested, opened, scalar_text

__all__ = ["FieldSettings", "Leaf", "fields_of"]

# A field's value, ready but for its escaping: text, a nested value as JSON text, bytes, or a file.
Leaf: TypeAlias = "str | Raw | bytes | FilePart"


class FieldSettings(Settings):
    """How values that are no text become fields."""

    booleans: Booleans = "words"
    null: Literal["omit", "empty"] = Field(
        default="omit",
        description="`omit`: no field for a null; `empty`: a field with empty text; in YAML this key stands in "
        'quotes, `"null": empty`',
    )
    nested: Literal["refuse", "json", "bracket", "repeat"] = Field(
        default="refuse",
        description=(
            "lists and objects. `refuse`: the record is rejected; `json`: one field with JSON text; "
            "`bracket`: a field per value, named `a[b][0]`, none where empty; `repeat`: a field per element, "
            "all of one name, objects and lists in lists refused"
        ),
    )


def fields_of(payload: Payload, settings: FieldSettings, content_format: str) -> Iterator[tuple[str, Leaf]]:
    """Yield (name, value) in the payload's order, nested values as the settings say.

    Numbers that arrive as `msgspec.Raw` keep their text. Raises RecordError naming the attribute where a
    value does not fit, DestinationError where the payload is no single record.
    """
    for name, value in _attributes(payload, content_format):
        found = opened(value, name)
        if type(found) is str:
            yield name, found
        elif isinstance(found, dict | list | tuple):
            yield from _inner_fields(name, found, settings, content_format)
        elif found is not None:
            yield name, _leaf(found, settings, name)
        elif settings.null == "empty":
            yield name, ""


def _attributes(payload: Payload, content_format: str) -> Iterable[tuple[str, Any]]:
    payload = opened(payload, "")
    if not isinstance(payload, Mapping):
        raise DestinationError(
            f"content format {content_format} carries name=value pairs of one record, but the payload is "
            f"a {type(payload).__name__}: turn batching off, or choose content format json"
        )
    return payload.items()


def _inner_fields(
    attribute: str, value: Any, settings: FieldSettings, content_format: str
) -> Iterator[tuple[str, Leaf]]:
    # A list in hand instead of recursion: how deep a record nests is not for the caller's stack to say.
    pending: list[tuple[str, Any]] = [(attribute, value)]
    while pending:
        name, found = pending.pop()
        found = opened(found, attribute)
        if isinstance(found, dict | list | tuple):
            if settings.nested == "json" and not _all_files(found):
                yield name, Raw(json_text(found, attribute))
            else:
                pending += reversed(_members_of(name, found, attribute, settings, content_format))
        elif found is not None:
            yield name, _leaf(found, settings, attribute)
        elif settings.null == "empty":
            yield name, ""


def _members_of(
    name: str, value: Any, attribute: str, settings: FieldSettings, content_format: str
) -> list[tuple[str, Any]]:
    if _all_files(value):
        return [(name, element) for element in value]
    kind = "an object" if isinstance(value, dict) else "a list"
    if settings.nested == "bracket":
        # As PHP writes and reads them: https://www.php.net/manual/en/function.http-build-query.php
        members = value.items() if isinstance(value, dict) else enumerate(value)
        return [(f"{name}[{key}]", member) for key, member in members]
    if settings.nested == "repeat":
        if isinstance(value, dict) or any(map(is_nested, value)):
            raise RecordError(
                f"attribute {attribute!r} is {kind} with more than plain values, which `nested: repeat` "
                "cannot carry: set `nested: json` or `bracket` in `format_settings`"
            )
        return [(name, element) for element in value]
    raise RecordError(
        f"attribute {attribute!r} is {kind}, for which {content_format} has no form of its own: set "
        "`nested: json`, `bracket` or `repeat` in `format_settings`, leave it out with `exclude`, or choose "
        "content format json"
    )


def _all_files(value: Any) -> bool:
    """Several files under one name are several parts, whatever becomes of other lists."""
    if isinstance(value, dict) or not value:
        return False
    return all(isinstance(element, FilePart | bytes) for element in value)


def _leaf(value: Any, settings: FieldSettings, attribute: str) -> Leaf:
    if isinstance(value, bytes | FilePart):
        return value
    return scalar_text(value, attribute, settings.booleans)
