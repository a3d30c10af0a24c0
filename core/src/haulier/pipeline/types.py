"""Values made what they are meant to be: text from a CSV into numbers, booleans, JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec
from msgspec import Raw

__all__ = ["TYPES", "Type", "typed"]

Type: TypeAlias = Literal["text", "integer", "number", "boolean", "json"]
TYPES: tuple[Type, ...] = ("text", "integer", "number", "boolean", "json")

_NULL = Raw(b"null")
# https://www.rfc-editor.org/rfc/rfc8259#section-6
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": b"true", "1": b"true", "false": b"false", "0": b"false"}
_WORDS = {
    "text": "a text",
    "integer": "a whole number",
    "number": "a number (digits, a point, no spaces between)",
    "boolean": "true, false, 1 or 0",
    "json": "JSON",
}
_LONGEST_SHOWN = 40

_text_of = msgspec.json.Decoder(str).decode
_check = msgspec.json.Decoder(Raw).decode
_encode = msgspec.json.Encoder().encode


def typed(value: Raw, kind: Type, *, empty_is_null: bool) -> Raw:
    """The value as the type says, its digits as they were written; null stays null.

    ValueError says what it is instead, in words that follow the name of the attribute.
    """
    written = bytes(value)
    if written == b"null":
        return value
    text = _text_of(written) if written.startswith(b'"') else None
    if empty_is_null and text is not None and not text.strip():
        return _NULL
    made = _MAKERS[kind](written, text)
    if made is None:
        shown = (
            written.decode()
            if len(written) <= _LONGEST_SHOWN
            else written[:_LONGEST_SHOWN].decode("utf-8", "ignore") + "..."
        )
        hint = "; `?` behind the type takes an empty text as null" if text == "" else ""
        raise ValueError(f"is {shown}, not {_WORDS[kind]}{hint}")
    return value if made is written else Raw(made)


def _number(written: bytes, text: str | None) -> bytes | None:
    found = text.strip() if text is not None else written.decode()
    return _same(written, text, found) if _NUMBER.fullmatch(found) else None


def _integer(written: bytes, text: str | None) -> bytes | None:
    found = text.strip() if text is not None else written.decode()
    return _same(written, text, found) if _INTEGER.fullmatch(found) else None


def _same(written: bytes, text: str | None, found: str) -> bytes:
    return written if text is None else found.encode()


def _boolean(written: bytes, text: str | None) -> bytes | None:
    return _BOOLEANS.get(text.strip().lower() if text is not None else written.decode("ascii", "replace"))


def _text(written: bytes, text: str | None) -> bytes:
    return written if text is not None else _encode(written.decode())


def _json(written: bytes, text: str | None) -> bytes | None:
    if text is None:
        return written
    made = text.strip().encode()
    try:
        _check(made)
    except (msgspec.DecodeError, RecursionError):
        return None
    return made


_MAKERS: dict[Type, Callable[[bytes, str | None], bytes | None]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "json": _json,
}
