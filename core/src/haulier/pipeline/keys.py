"""What records are grouped by: one key a record, equal where the values of all named attributes are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from haulier.model.column import Fault, values_at
from haulier.model.json_value import decoded

__all__ = ["Key", "keys_of"]

# The JSON text of each value, None where a record has no such attribute.
Key = tuple[bytes | None, ...]

_encode = msgspec.json.Encoder(order="deterministic").encode
_QUOTE, _NESTED = b'"', (b"{", b"[")


def keys_of(records: Sequence[Mapping[str, Any] | None], paths: Sequence[tuple[str, ...]]) -> list[Key]:
    """The key of each record, from decoded or shallow ones; an absent attribute is a value of its own, unlike null."""
    present = [record if record is not None else {} for record in records]
    columns = [[_text(value) for value in values_at(path)(present)] for path in paths]
    return list(zip(*columns, strict=True))


def _text(value: Any) -> bytes | None:
    """The same bytes for the same value: however a text was escaped, and in whatever order an object was written."""
    if isinstance(value, Fault):
        return None
    if value.__class__ is not msgspec.Raw:
        return _encode(value)
    text = bytes(value)
    if text.startswith(_NESTED) or (text.startswith(_QUOTE) and b"\\" in text):
        return _encode(decoded(text))
    return text
