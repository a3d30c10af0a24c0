"""JSON pointers (https://www.rfc-editor.org/rfc/rfc6901): picking values out of answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from haulier.model.json_value import NO_JSON, decoded

__all__ = ["check_pointer", "look_up", "names_of", "nothing_at", "pick"]

_MOST_NAMES, _LONGEST_NAME = 8, 40


def check_pointer(pointer: str) -> str:
    """What is wrong with a JSON pointer, as words that follow it, or an empty text."""
    if pointer and not pointer.startswith("/"):
        return "is no JSON pointer: one begins with `/`"
    if re.search("~(?![01])", pointer):
        return "is no JSON pointer: ~ is written ~0 there, and / in a name ~1"
    return ""


def pick(value: Any, pointer: str) -> Any:
    """What the pointer points to in a decoded value, None where nothing is there."""
    for written in pointer.split("/")[1:]:
        token = written.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isascii() and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def nothing_at(value: Any, pointer: str) -> str:
    """Words for a pointer that leads to nothing in a decoded value: what stands there instead, by names alone.

    `it has id, status`, or where the first steps lead somewhere: `/state has code, text`.
    """
    way, found = "", value
    for written in pointer.split("/")[1:]:
        inner = pick(found, f"/{written}")
        if inner is None:
            break
        way, found = f"{way}/{written}", inner
    return f"{f'`{way}`' if way else 'it'} {_what(found)}"


def names_of(value: Mapping[str, Any]) -> str:
    """The names in an object for a message, as far as they are few and short: `id, status and 3 more`."""
    names = [
        name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
        for name in islice(value, _MOST_NAMES)
    ]
    more = len(value) - len(names)
    return (", ".join(names) or "nothing") + (f" and {more} more" if more else "")


def _what(found: Any) -> str:
    if isinstance(found, dict):
        return f"has {names_of(found)}"
    if isinstance(found, list):
        return f"is a list of {len(found):,}"
    return "is null" if found is None else "is a text" if isinstance(found, str) else "is a single value"


def look_up(body: bytes, pointer: str) -> Any:
    """What the pointer points to in a JSON text; None where it is no JSON or nothing is there."""
    try:
        return pick(decoded(body), pointer)
    except NO_JSON:
        return None
