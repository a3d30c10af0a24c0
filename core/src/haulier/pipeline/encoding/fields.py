"""A payload as named fields in order: what `form` and `multipart` share. A settings model, and one walk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Raw
from pydantic import Field

from haulier.errors import DestinationError, RecordError
from haulier.model.parts import Payload, Settings
from haulier.model.request import FilePart
from haulier.pipeline.encoding.json import json_text

__all__ = ["FieldSettings", "Leaf", "fields_of", "utf8"]

# A field's value, ready but for its escaping: text, a nested value as JSON text, bytes, or a file.
Leaf: TypeAlias = "str | Raw | bytes | FilePart"

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_elements = msgspec.json.Decoder(list[Raw]).decode
_word = msgspec.json.Decoder(str | bool | None).decode


class FieldSettings(Settings):
    """How values that are no text become fields."""

    booleans: Literal["words", "digits"] = Field(
        default="words",
        description="`words`: true and false; `digits`: 1 and 0. An endpoint template may set the default",
    )
    null: Literal["omit", "empty"] = Field(
        default="omit", description="`omit`: no field for a null; `empty`: a field with empty text"
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
        found = _opened(value, name) if type(value) is Raw else value
        if type(found) is str:
            yield name, found
        elif isinstance(found, dict | list | tuple):
            yield from _inner_fields(name, found, settings, content_format)
        elif found is not None:
            yield name, _leaf(found, settings, name)
        elif settings.null == "empty":
            yield name, ""


def utf8(text: str, attribute: str) -> bytes:
    """Text as UTF-8; RecordError naming the attribute where it holds half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise RecordError(
            f"attribute {attribute!r} holds half a surrogate pair at character {error.start}: mend the text"
        ) from error


def _attributes(payload: Payload, content_format: str) -> Iterable[tuple[str, Any]]:
    if type(payload) is Raw:
        payload = _opened(payload, "")
    if not isinstance(payload, Mapping):
        raise DestinationError(
            f"content format {content_format} carries name=value pairs of one record, but the payload is "
            f"a {type(payload).__name__}: turn batching off, or choose content format json"
        )
    return payload.items()


def _opened(raw: Raw, attribute: str) -> Any:
    """An opaque value, one level deep; a number as its own text, so that 1.10 stays 1.10."""
    text = bytes(raw).strip()
    try:
        match text[:1]:
            case b"{":
                return _members(text)
            case b"[":
                return _elements(text)
            case b"" | b'"' | b"t" | b"f" | b"n":
                return _word(text)
            case _:
                return text.decode("ascii")
    except (ValueError, RecursionError) as error:
        raise RecordError(f"attribute {attribute!r} cannot be read as JSON: {error}") from error


def _inner_fields(
    attribute: str, value: Any, settings: FieldSettings, content_format: str
) -> Iterator[tuple[str, Leaf]]:
    # A list in hand instead of recursion: how deep a record nests is not for the caller's stack to say.
    pending: list[tuple[str, Any]] = [(attribute, value)]
    while pending:
        name, found = pending.pop()
        if type(found) is Raw:
            found = _opened(found, attribute)
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
        if isinstance(value, dict) or any(map(_nested, value)):
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


def _nested(value: Any) -> bool:
    if type(value) is Raw:
        return bytes(value).lstrip()[:1] in (b"[", b"{")
    return isinstance(value, dict | list | tuple)


def _leaf(value: Any, settings: FieldSettings, attribute: str) -> Leaf:
    if isinstance(value, str | bytes | FilePart):
        return value
    if isinstance(value, bool):
        return ("1" if value else "0") if settings.booleans == "digits" else ("true" if value else "false")
    return json_text(value, attribute).decode()
