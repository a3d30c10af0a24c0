"""What becomes of a record's attributes: the cheapest faithful way to read a line, chosen once per plan.

Three ways, from cheap to dear; whichever is taken, the body decodes to the same JSON value:

* untouched: each line is checked and its bytes are kept. Needs that nothing is taken from the record or left out.
* shallow: one level is decoded, the values stay bytes; enough to leave attributes out and to fill addresses.
* full: everything is decoded, for formats and groupings that need values.

A number keeps its text on the first two ways. On the third, integers of any size are kept, floats keep their double,
and a number no double can hold (`1e999`) keeps its text. NaN and infinities are no JSON and are refused by every way.
Where a name stands twice in one object the last value counts; a lone surrogate is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from haulier.model.block import Block
from haulier.model.json_value import HUGE_DIGITS, NO_JSON, float_or_text, members

__all__ = ["Way", "decode", "drop", "kind_of"]

Way: TypeAlias = Literal["untouched", "shallow", "full"]


_check: Callable[[bytes], Any] = msgspec.json.Decoder(msgspec.Raw).decode
_full: Callable[[bytes], Any] = msgspec.json.Decoder(dict).decode
_full_any_number: Callable[[bytes], Any] = msgspec.json.Decoder(dict, float_hook=float_or_text).decode
_DECODERS: dict[Way, Callable[[bytes], Any]] = {"untouched": _check, "shallow": members, "full": _full}


def decode(block: Block, way: Way) -> tuple[list[Any], dict[int, str]]:
    """The records of a block in the given form, and index -> reason for those that are no JSON object.

    Untouched records are msgspec.Raw, shallow ones `dict[str, Raw]`, full ones plain dicts. A faulty record keeps
    its place in the list as None.
    """
    if block.plain and not block.faults:
        try:
            return list(map(_DECODERS[way], block.lines)), {}
        except NO_JSON:
            pass  # some line is malformed: find out which, one by one
    faults = dict(block.faults or {})
    items: list[Any] = []
    for index, line in enumerate(block.lines):
        if index in faults:
            items.append(None)
            continue
        try:
            items.append(_one(line, way))
        except ValueError as error:
            items.append(None)
            faults[index] = str(error)
    return items, faults


def _one(line: bytes, way: Way) -> Any:
    """One record, checked on its own; ValueError says why it is none."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start + 1}); write the input as UTF-8") from None
    line = line.strip(b" \t\r\n")
    try:
        if not line.startswith(b"{"):
            _check(line)
            raise ValueError(f"is {kind_of(line)}, not a JSON object")
        _check(line)
        return _DECODERS[way](line)
    except msgspec.ValidationError:
        return _one_any_number(line)
    except msgspec.DecodeError as error:
        raise ValueError(f"is not JSON: {_plainer(str(error), line)}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _one_any_number(line: bytes) -> Any:
    """A record with a number outside what Python reads by itself."""
    try:
        return _full_any_number(line)
    except msgspec.ValidationError:
        raise ValueError(f"holds an integer of more than {HUGE_DIGITS:,} digits") from None


def kind_of(line: bytes) -> str:
    """What a JSON text is, in words."""
    kinds = {b'"': "a text", b"[": "a list", b"{": "an object", b"t": "true", b"f": "false", b"n": "null"}
    return kinds.get(line[:1], "a number")


def _plainer(message: str, line: bytes) -> str:
    if b"NaN" in line or b"Infinity" in line:
        return "NaN and infinities are no JSON; write null or leave the attribute out"
    if "truncated" in message:
        return "it ends in the middle of a value (or holds half a surrogate pair)"
    return message.removeprefix("JSON is malformed: ")


def drop(items: Sequence[dict[str, Any] | None], names: frozenset[str]) -> None:
    """Take the named attributes out of decoded records, in place."""
    if len(names) == 1:
        (name,) = names
        for item in items:
            if item is not None:
                item.pop(name, None)
        return
    for item in items:
        if item is not None:
            for name in names:
                item.pop(name, None)
