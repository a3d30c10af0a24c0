"""The values of a record in formats that write text: one set of rules for all of them.

Text stays as it is. A number is the text it was written with. Booleans are words or digits, null is left out or
empty, by choice. Dates, decimals and bytes were made text when the record was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Raw
from pydantic import Field

from haulier.errors import DestinationError, RecordError
from haulier.model.json_value import decoded, members
from haulier.pipeline.encoding.json import json_text

__all__ = [
    "Booleans",
    "NumberText",
    "as_members",
    "attributes_of",
    "decoded_at_once",
    "holds_records",
    "is_nested",
    "opened",
    "records_of",
    "scalar_text",
    "utf8",
]

Booleans: TypeAlias = Annotated[
    Literal["words", "digits"],
    Field(description="`words`: true and false; `digits`: 1 and 0. An endpoint template may set the default"),
]

_elements = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode
_word = msgspec.json.Decoder(str | bool | None).decode


def opened(value: Any, attribute: str) -> Any:
    """A value without its wrapping, one level deep; a number in a msgspec.Raw as its own text: 1.10 stays 1.10."""
    if type(value) is not Raw:
        return value
    text = bytes(value).strip()
    try:
        match text[:1]:
            case b"{":
                return members(text)
            case b"[":
                return _elements(text)
            case b"" | b'"' | b"t" | b"f" | b"n":
                return _word(text)
            case _:
                return text.decode("ascii")
    except (ValueError, RecursionError) as error:
        raise RecordError(f"attribute {attribute!r} cannot be read as JSON: {error}") from error


def as_members(payload: Raw) -> Any:
    """A JSON text as formats are handed records: an object, or each of a list, as attribute -> msgspec.Raw."""
    text = bytes(payload).lstrip()
    if text.startswith(b"["):
        return [opened(one, "") if bytes(one).startswith(b"{") else one for one in _elements(text)]
    return opened(payload, "") if text.startswith(b"{") else decoded(payload)


class NumberText(str):
    """A number as the text it was written with; told apart from a text by its type."""

    __slots__ = ()


def decoded_at_once(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes with every value decoded, at all depths, numbers that are not whole as NumberText.

    That is one call where `opened` is one for each value. What cannot be had so is handed back as it came.
    """
    if set(map(type, attributes.values())) != {Raw}:
        return attributes
    text = _encode(attributes)
    # Python has no whole number -0, and none of thousands of digits as text.
    if b"-0" in text:
        return attributes
    try:
        found: dict[str, Any] = _texts(text)
    except (ValueError, RecursionError):
        return attributes
    return found


_texts = msgspec.json.Decoder(dict, float_hook=NumberText).decode


def attributes_of(record: Any) -> Mapping[str, Any]:
    """The attributes of one record of a batch; RecordError where `batching.item` made something else of it."""
    found = opened(record, "")
    if not isinstance(found, Mapping):
        kind = "a list" if isinstance(found, list | tuple) else "a single value"
        raise RecordError(f"is {kind}, not an object with attributes: leave `batching.item` out")
    return found


def records_of(payload: Any, content_format: str) -> list[Any]:
    """The records of a payload: of a list each, else the one it is; DestinationError for any other shape."""
    if isinstance(payload, list | tuple):
        return list(payload)
    if isinstance(payload, Mapping):
        if holds_records(payload):
            raise DestinationError(
                f"content format {content_format} carries a list of records and nothing around them: choose the "
                "grouping array, or content format json"
            )
        return [payload]
    if type(payload) is Raw:
        return [payload]
    raise DestinationError(
        f"content format {content_format} carries records, but the payload is a {type(payload).__name__}: choose "
        "another grouping or content format json"
    )


def holds_records(payload: Mapping[str, Any]) -> bool:
    """Whether some list in an object is one of records that a grouping has placed there, as members."""
    return any(
        isinstance(one, dict) and set(map(type, one.values())) <= {Raw}
        for value in payload.values()
        if isinstance(value, list | tuple)
        for one in value
    )


def is_nested(value: Any) -> bool:
    """Whether this is a list or an object."""
    if type(value) is Raw:
        return bytes(value).lstrip()[:1] in (b"[", b"{")
    return isinstance(value, dict | list | tuple)


def scalar_text(value: Any, attribute: str, booleans: Booleans) -> str:
    """An opened value that is neither null nor nested, as text; RecordError where it has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ("1" if value else "0") if booleans == "digits" else ("true" if value else "false")
    return json_text(value, attribute).decode()


def utf8(text: str, attribute: str) -> bytes:
    """Text as UTF-8; RecordError naming the attribute where it holds half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise RecordError(
            f"attribute {attribute!r} holds half a surrogate pair at character {error.start}: mend the text"
        ) from error
