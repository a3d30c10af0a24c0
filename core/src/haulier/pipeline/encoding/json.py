"""`json`: any payload as one JSON text. Records that arrive as `msgspec.Raw` are placed as they were read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from math import isfinite
from typing import Any

import msgspec
from msgspec import Raw

from haulier.errors import RecordError
from haulier.model.media_type import TextMediaType
from haulier.model.parts import ContentEncoder, Payload
from haulier.model.request import Body, FilePart
from haulier.model.written_number import WrittenNumber, number_text
from haulier.pipeline.encoding.media import MediaSettings, media_type_field

__all__ = ["JSON", "JsonSettings", "encode", "json_text", "refuse_unsayable"]

_MEDIA_TYPE = "application/json"
# What can hide neither a NaN nor a file, at any depth.
_HARMLESS = frozenset({Raw, str, int, bool, type(None)})
_NUMBERS = frozenset({float, WrittenNumber})
_RAW = frozenset({Raw})
_TEXT = frozenset({str})

_encode = msgspec.json.Encoder(enc_hook=number_text).encode


class JsonSettings(MediaSettings):
    """Settings of `json`."""

    media_type: TextMediaType = media_type_field(_MEDIA_TYPE)


def encode(payload: Payload, settings: JsonSettings) -> Body:
    """The payload as JSON; RecordError where a value has no JSON text (NaN, a file, half a surrogate, a name 7)."""
    # The way of nearly every batch takes 2 us in msgspec; `refuse_unsayable` would say the same and add a quarter, and
    # a function of its own for this look another.
    if type(payload) is dict and not _TEXT.issuperset(map(type, payload)):
        refuse_unsayable(payload)
    for value in payload.values() if type(payload) is dict else (payload,):
        kind = type(value)
        if kind is list:
            if value and type(value[0]) is Raw and type(value[-1]) is Raw:
                continue
        elif kind in _HARMLESS:
            continue
        refuse_unsayable(payload)
        break
    try:
        return Body(parts=(_encode(payload),), media_type=settings.media_type)
    except (TypeError, ValueError, RecursionError) as error:
        raise _unencodable(payload, error) from error


def json_text(value: Any, attribute: str) -> bytes:
    """One attribute's value as JSON, for formats that carry nested values as text; raises as `encode`."""
    refuse_unsayable({attribute: value})
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise _unencodable({attribute: value}, error) from error


def refuse_unsayable(payload: Any) -> None:
    """Refuse what msgspec would turn into something else: NaN into null, a FilePart into its path, a name 7 into "7".

    A list that begins and ends with opaque records was placed by a grouping, which is handed nothing else,
    and is not looked through: that would cost as much as encoding it.
    """
    pending: list[Collection[Any]] = [(payload,)]
    while pending:
        members = pending.pop()
        if _HARMLESS.issuperset(map(type, members)):
            continue
        for member in members:
            if type(member) in _HARMLESS or (type(member) in _NUMBERS and isfinite(member)):
                continue
            if isinstance(member, dict):
                if not _TEXT.issuperset(map(type, member)):
                    _refuse_names(payload, member)
                pending.append(member.values())
            elif isinstance(member, list | tuple):
                if not (member and _opaque(member[0]) and _opaque(member[-1])):
                    pending.append(member)
            else:
                raise _refusal(payload, member)


def _opaque(value: Any) -> bool:
    """Whether this is a record nobody has looked into: untouched, or a dict of untouched values."""
    return type(value) is Raw or (type(value) is dict and set(map(type, value.values())) == _RAW)


def _refuse_names(payload: Any, member: dict[Any, Any]) -> None:
    for name in member:
        if not isinstance(name, str):
            place = _place_of(payload, lambda value: value is member)
            kind = type(name).__name__
            raise RecordError(
                f"{place} has the name {name!r}, of type {kind}: names are text, such as '{name}'"
            )


def _refusal(payload: Any, member: Any) -> RecordError:
    place = _place_of(payload, lambda value: value is member)
    if isinstance(member, float):
        return RecordError(f"{place} is {member}, which JSON cannot say: send null, or leave it out")
    if isinstance(member, FilePart | bytes | bytearray):
        what = f"the file {member.name}" if isinstance(member, FilePart) else "bytes"
        return RecordError(
            f"{place} is {what}: json cannot carry a file; use multipart or a base64 parameter"
        )
    return RecordError(f"{place} is a {type(member).__name__}, which is no JSON value: give text or a number")


def _unencodable(payload: Any, error: Exception) -> RecordError:
    if isinstance(error, RecursionError):
        return RecordError(
            "a value is nested too deeply for JSON: flatten it, or send that part as JSON text"
        )
    return RecordError(f"{_place_of(payload, _fails)} cannot be written as JSON: {error}")


def _fails(value: Any) -> bool:
    """Whether this value fails by itself, whatever is inside it."""
    if isinstance(value, list | tuple):
        return False
    try:
        _encode(dict.fromkeys(value) if isinstance(value, dict) else value)
    except (TypeError, ValueError):
        return True
    return False


def _place_of(payload: Any, wanted: Callable[[Any], bool]) -> str:
    """Where the first wanted value stands: `attribute 'price'` or `the value at [3]['price']`."""
    for path, value in _walk(payload):
        if path and wanted(value):
            if len(path) == 1 and isinstance(path[0], str):
                return f"attribute {path[0]!r}"
            return "the value at " + "".join(f"[{key!r}]" for key in path)
    return "the payload"


def _walk(payload: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    pending: list[tuple[tuple[Any, ...], Any]] = [((), payload)]
    while pending:
        path, value = pending.pop()
        yield path, value
        if isinstance(value, dict):
            pending += [((*path, key), member) for key, member in reversed(value.items())]
        elif isinstance(value, list | tuple):
            pending += [((*path, index), member) for index, member in enumerate(value)][::-1]


JSON = ContentEncoder(
    name="json",
    title="JSON",
    description="One JSON text. Nested values, big integers and the text of untouched records stay.",
    media_type=_MEDIA_TYPE,
    encode=encode,
    settings=JsonSettings,
    carries_batches=True,
    needs="opaque",
    charset="utf-8",
    anywhere=True,
)
