"""JSON pointers (https://www.rfc-editor.org/rfc/rfc6901): picking values out of answers."""

from __future__ import annotations

import re
from typing import Any

from haulier.model.json_value import NO_JSON, decoded

__all__ = ["check_pointer", "look_up", "pick"]


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


def look_up(body: bytes, pointer: str) -> Any:
    """What the pointer points to in a JSON text; None where it is no JSON or nothing is there."""
    try:
        return pick(decoded(body), pointer)
    except NO_JSON:
        return None
