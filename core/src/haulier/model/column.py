"""Columns: one attribute of every record of a block, as text or as it is.

A record that has no such text gives a `Fault` and harms no other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any, TypeAlias

import msgspec

from haulier.model.json_value import decoded, members

__all__ = [
    "INTO_LISTS",
    "Column",
    "Escape",
    "Fault",
    "Record",
    "join_columns",
    "path_text",
    "text_of",
    "texts_at",
    "values_at",
]

# A record on its way: attribute -> msgspec.Raw (its JSON text) or a plain decoded value.
Record: TypeAlias = Mapping[str, Any]


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Why one record cannot be rendered. absent: only because an attribute is missing or null."""

    reason: str
    absent: bool = False


# Rendered text to the form its place needs, or why it cannot stand there.
Escape: TypeAlias = Callable[[str], "str | Fault"]
# A block of records -> one text or fault for each.
Column: TypeAlias = Callable[[Sequence[Record]], "list[str | Fault]"]

# What to write where a path would have to reach into a list.
INTO_LISTS = (
    "a path leads through objects and into no list: in a chain, `each: /POINTER` on the stage makes a record of each "
    "element of a list in the answer before it; in an input, give the element an attribute of its own first"
)

_MISSING = Fault("missing", absent=True)
_decode_text: Callable[[bytes], str] = msgspec.json.Decoder(str).decode
_RAW_WORDS = {b"true": True, b"false": False, b"null": None}
_KINDS: tuple[tuple[type, str], ...] = (
    (str, "text"),
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (tuple, "a list"),
    (Mapping, "an object"),
    (
        msgspec.Raw,
        "a number",
    ),  # one that Python cannot hold; of nothing else is Raw left where a kind is told
)
_PLAIN_NAME = re.compile(r"[\w$@-]+")


def join_columns(parts: Sequence[str | Column]) -> Column:
    """Columns and written text side by side as one column; a fault in any part is the record's fault."""
    merged: list[str | Column] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    if len(merged) == 1 and not isinstance(merged[0], str):
        return merged[0]
    if all(isinstance(part, str) for part in merged):
        text = str(merged[0]) if merged else ""
        return lambda records: [text] * len(records)

    def joined(records: Sequence[Record]) -> list[str | Fault]:
        # Written text repeats for ever: the columns decide where the rows end.
        columns = [repeat(part) if isinstance(part, str) else part(records) for part in merged]
        return [_join(row) for row in zip(*columns, strict=False)]

    return joined


def _join(row: tuple[str | Fault, ...]) -> str | Fault:
    try:
        return "".join(row)  # type: ignore[arg-type]  # a fault among them is the exception, and costs one
    except TypeError:
        faults = [part for part in row if isinstance(part, Fault)]
        # An absent attribute may be left out by the caller, anything worse may not: the worse one is told.
        return next((fault for fault in faults if not fault.absent), faults[0])


def values_at(path: tuple[str, ...]) -> Callable[[Sequence[Record]], list[Any]]:
    """The column of one attribute's values: msgspec.Raw or as decoded, null too; a fault where missing."""
    first = path[0]
    if len(path) > 1:
        return lambda records: [_descend(record, path) for record in records]
    missing = Fault(f"attribute `{_label(path)}` is missing", absent=True)
    return lambda records: [record.get(first, missing) for record in records]


def texts_at(path: tuple[str, ...], escape: Escape | None = None, *, digits: bool = False) -> Column:
    """The column of one attribute: its text, passed through `escape`, or a fault.

    Texts stay as they are, integers keep all digits, floats their JSON text (decoded ones their shortest
    form); booleans become `true` and `false`, with `digits` `1` and `0`. Missing, null, lists and objects are
    faults.
    """
    first, deep, label = path[0], len(path) > 1, _label(path)

    def column(records: Sequence[Record]) -> list[str | Fault]:
        texts: list[str | Fault] = []
        # Neighbours often share a value: what the last one became is kept.
        last: Any = None
        text: str | Fault = _MISSING
        for record in records:
            value = record.get(first, _MISSING)
            kind = value.__class__
            if kind is msgspec.Raw or kind is str:
                if value == last:
                    texts.append(text)
                    continue
                last = value
            else:
                last = None
            text = text_of(_descend(record, path) if deep else value, label, digits=digits)
            if escape is not None and isinstance(text, str):
                text = escape(text)
            texts.append(text)
        return texts

    return column


def _descend(record: Record, path: tuple[str, ...]) -> Any:
    """The value at the end of a path of two names or more, or the fault that stands in the way."""
    value: Any = record
    for depth, name in enumerate(path):
        if value.__class__ is msgspec.Raw:
            try:
                value = members(value)
            except msgspec.DecodeError:
                value = decoded(value)
        if value is None:
            return Fault(f"attribute `{_label(path[:depth])}` is null", absent=True)
        if not isinstance(value, Mapping):
            hint = f"; {INTO_LISTS}" if isinstance(value, list | tuple) else ""
            return Fault(f"attribute `{_label(path[:depth])}` is {_kind(value)} and has no `{name}`{hint}")
        if name not in value:
            whole = ".".join(path)
            hint = f'; the record has `{whole}`: write {{record["{whole}"]}}' if whole in record else ""
            return Fault(f"attribute `{_label(path[: depth + 1])}` is missing{hint}", absent=True)
        value = value[name]
    return value


def text_of(value: Any, label: str, *, digits: bool = False) -> str | Fault:
    """One value as text, as `texts_at` reads it; `label` names its attribute in a fault."""
    if value.__class__ is msgspec.Raw:
        value = _scalar(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value)) if digits else str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, Fault):
        return value if value is not _MISSING else Fault(f"attribute `{label}` is missing", absent=True)
    if value is None:
        return Fault(f"attribute `{label}` is null", absent=True)
    return Fault(
        f"attribute `{label}` is {_kind(value)}; only text, finite numbers, true and false can be written out"
    )


def _scalar(raw: msgspec.Raw) -> Any:
    """A value from its JSON text; a number keeps that text, a list or object is only told by its kind."""
    data = bytes(raw)
    first = data[:1]
    if first == b'"':
        return _decode_text(data)
    if first == b"[":
        return []
    if first == b"{":
        return {}
    return _RAW_WORDS[data] if data in _RAW_WORDS else data.decode("ascii")


def _kind(value: Any) -> str:
    return next((words for kind, words in _KINDS if isinstance(value, kind)), f"a {type(value).__name__}")


def _label(path: tuple[str, ...]) -> str:
    return path_text(path).removeprefix(".")


def path_text(path: tuple[str, ...]) -> str:
    """A path as expressions write it: `.a["b c"]`."""
    return "".join(
        f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{msgspec.json.encode(name).decode()}]"
        for name in path
    )
