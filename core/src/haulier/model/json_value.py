"""JSON values whatever their numbers: those that Python cannot hold stay the text they are."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

__all__ = [
    "BLANKS",
    "HUGE_DIGITS",
    "NO_JSON",
    "as_text",
    "decoded",
    "float_or_text",
    "is_json",
    "members",
    "members_or_none",
]

# https://www.rfc-editor.org/rfc/rfc8259#section-2 (insignificant whitespace)
BLANKS = b" \t\r\n"
# What `decoded` and `members` raise for a text that is no JSON, or is nested too deeply.
NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
HUGE_DIGITS = 4_000  # beyond this Python itself refuses to read an integer

_decode: Callable[[bytes | str | Raw], Any] = msgspec.json.Decoder().decode
_check: Callable[[bytes | str | Raw], Raw] = msgspec.json.Decoder(Raw).decode

# Attribute -> JSON text of an object, which is looked into no further; NO_JSON for anything else.
members: Callable[[bytes | str | Raw], dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw]).decode


def decoded(text: bytes | str | Raw) -> Any:
    """The value of a JSON text. A number that no double can hold (`1e999`), or an integer of more than HUGE_DIGITS
    digits, is a msgspec.Raw, which is encoded as the text it has.

    Raises msgspec.DecodeError or UnicodeDecodeError for what is no JSON, RecursionError where it is nested too deeply.
    """
    try:
        return _decode(text)
    except msgspec.ValidationError:  # of its numbers: nothing else is asked for here
        _check(text)  # the standard library would let NaN pass
        whole = text if isinstance(text, str) else bytes(text)
        return json.loads(whole, parse_float=float_or_text, parse_int=_integer_or_text)


def is_json(text: bytes) -> bool:
    """Whether a text is a JSON value."""
    try:
        decoded(text)
    except NO_JSON:
        return False
    return True


def members_or_none(text: bytes | None) -> dict[str, Raw] | None:
    """The members of a JSON object; None for anything else."""
    try:
        return members(text) if text else None
    except NO_JSON:
        return None


def float_or_text(text: str) -> float | Raw:
    """The double that a JSON number says; where none can hold it, its text."""
    value = float(text)
    return value if math.isfinite(value) else Raw(text.encode())


def as_text(value: Any) -> str:
    """A text as it is, any other value as its JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _integer_or_text(text: str) -> int | Raw:
    return int(text) if len(text) <= HUGE_DIGITS else Raw(text.encode())
