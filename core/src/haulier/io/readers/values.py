"""Python mappings as JSON lines, by one set of rules.

Text, numbers, booleans, None, mappings, lists and tuples are what JSON calls them; integers of any size stay
exact. Decimal becomes text (nothing of it is lost), date, time and datetime ISO 8601, timedelta an ISO 8601
duration, UUID text, bytes base64 text, an Enum its value. Refused, naming the attribute: NaN and infinities,
names that are no text, text with lone surrogates, and every other type (a set has no order).

Most batches pass a check made per level of nesting for the whole batch; only one that does not is looked at
value by value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import chain
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec

from haulier.errors import RecordError

__all__ = ["encode_records"]

_encoder = msgspec.json.Encoder()
_SCALARS = (date, datetime, time, timedelta, UUID, bytes, bytearray, memoryview)
_KNOWN = frozenset({dict, list, tuple, str, int, float, bool, type(None), Decimal, *_SCALARS})


def encode_records(records: Sequence[Mapping[Any, Any]]) -> tuple[list[bytes], dict[int, str]]:
    """A JSON line per mapping, and why one cannot be taken, by index (its line is then for people only)."""
    if (lines := _all_at_once(records)) is not None:
        return lines, {}
    encoded = [_one(record) for record in records]
    return [line for line, _ in encoded], {index: fault for index, (_, fault) in enumerate(encoded) if fault}


def _all_at_once(records: Sequence[Mapping[Any, Any]]) -> list[bytes] | None:
    """The lines where all values are of exactly known types; None asks for a look at each record."""
    try:
        text = _encoder.encode_lines(records)
    except (TypeError, ValueError, RecursionError, OverflowError):
        return None
    # msgspec writes NaN and infinities as null.
    return text.split(b"\n")[:-1] if _sound(records, nulls=b"null" in text) else None


def _sound(values: Sequence[Any], *, nulls: bool) -> bool:
    """Whether all values, level by level, are of types that the encoder writes as the rules above say."""
    while values:
        types = set(map(type, values))
        if not types <= _KNOWN:
            return False
        if nulls and float in types and not all(isfinite(value) for value in values if type(value) is float):
            return False
        if Decimal in types and not all(value.is_finite() for value in values if type(value) is Decimal):
            return False
        mappings = [value for value in values if type(value) is dict] if dict in types else []
        if not set(map(type, chain.from_iterable(mappings))) <= {str}:
            return False
        lists = [value for value in values if type(value) in {list, tuple}] if types & {list, tuple} else []
        values = [*chain.from_iterable(map(dict.values, mappings)), *chain.from_iterable(lists)]
    return True


def _one(record: Mapping[Any, Any]) -> tuple[bytes, str]:
    try:
        return _encoder.encode(_simple(record, "")), ""
    except RecordError as error:
        return _shown(record), str(error)
    except RecursionError:
        return _shown(record), "holds itself, or is nested too deeply"


def _simple(value: Any, place: str) -> Any:
    """The value in exactly known types. place: `price`, `tags[2].name`; raises RecordError naming it."""
    for kinds, convert in _CONVERSIONS:
        if isinstance(value, kinds):
            return convert(value, place)
    raise _refusal(place, f"is of type {_type_name(value)}, which has no place in JSON; convert it first")


def _enum(value: Enum, place: str) -> Any:
    return _simple(value.value, place)


def _text(value: str, place: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refusal(place, "is text with a lone surrogate, which is no Unicode text") from None
    return str.__str__(value)


def _integer(value: int, place: str) -> int:
    number = int(value)
    try:
        str(number)
    except ValueError:  # https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
        raise _refusal(place, "is an integer of more digits than Python writes; send it as text") from None
    return number


def _float(value: float, place: str) -> float:
    if not isfinite(value):
        raise _refusal(place, f"is {float(value)!r}, which JSON does not have; leave it out or send null")
    return float(value)


def _decimal(value: Decimal, place: str) -> str:
    if not value.is_finite():
        raise _refusal(place, f"is {value}, which is no number; leave it out or send null")
    return str(value)


def _mapping(value: Mapping[Any, Any], place: str) -> dict[str, Any]:
    simple: dict[str, Any] = {}
    for name, item in value.items():
        if not isinstance(name, str):
            raise _refusal(place, f"has a name of type {_type_name(name)}; names are text")
        inner = f"{place}.{name}" if place else name
        simple[_text(name, inner)] = _simple(item, inner)
    return simple


def _list(value: Sequence[Any], place: str) -> list[Any]:
    return [_simple(item, f"{place}[{index}]") for index, item in enumerate(value)]


# The order matters: bool is an int, an IntEnum is both.
_CONVERSIONS: tuple[tuple[Any, Callable[[Any, str], Any]], ...] = (
    (type(None), lambda value, _: value),
    (Enum, _enum),
    (bool, lambda value, _: value),
    (str, _text),
    (int, _integer),
    (float, _float),
    (Decimal, _decimal),
    (Mapping, _mapping),
    ((list, tuple), _list),
    (_SCALARS, lambda value, _: msgspec.to_builtins(value)),
)


def _refusal(place: str, reason: str) -> RecordError:
    return RecordError(f"attribute {place!r} {reason}" if place else reason)


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _shown(record: Mapping[Any, Any]) -> bytes:
    """A record that cannot be taken, as near to JSON as it comes, for whoever looks at the dead letter."""
    try:
        return json.dumps(dict(record), default=_named, skipkeys=True).encode()
    except (TypeError, ValueError, RecursionError):
        return _encoder.encode(_named(record))


def _named(value: object) -> str:
    return f"<{_type_name(value)}>"
