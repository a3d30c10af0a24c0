"""What a `build` function returned, as portions of a batch; a RecordError says what is wrong with it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from haulier.errors import RecordError
from haulier.model.media_type import is_media_type
from haulier.model.parts import Portion

__all__ = ["MOST_BYTES", "portions_of", "unread"]

MOST_BYTES = 8 << 20  # of one payload

_checked = msgspec.json.Decoder(msgspec.Raw).decode


def portions_of(said: Sequence[tuple[Any, Any, Any]] | None, items: Sequence[Any]) -> tuple[Portion, ...]:
    """said: (JSON text or bytes, indices or None, media type) of each payload; None: some of a list were no Payload.

    items: what the batch was made of.
    """
    if said is None:
        raise RecordError(
            "build returned a list in which only some are Payload; make every one of them a Payload"
        )
    if not said:
        raise RecordError(
            "build returned an empty list, so no payload at all, and its records would be lost; return a payload that "
            "carries them (for a body `[]`: `Payload([])`), or sort them out before they are sent"
        )
    return tuple(_portion(*one, items) for one in said)


def unread(items: Sequence[Any], faults: Sequence[str]) -> tuple[tuple[Any, str], ...]:
    """Items that code cannot be handed, each with its reason. faults: why each cannot be read, or empty."""
    told = "cannot be handed to code: {}; leave it out with `exclude`, or have `types` make it a text"
    return tuple(
        (item, told.format(fault.partition(";")[0]))
        for item, fault in zip(items, faults, strict=True)
        if fault
    )


def _portion(payload: Any, carries: Any, media_type: Any, items: Sequence[Any]) -> Portion:
    if carries is not None and not (
        isinstance(carries, list | tuple) and all(type(at) is int for at in carries)
    ):
        raise RecordError(
            f"the records of a payload are {_shown(carries)}; give a list of their indices in the batch: [0, 1]"
        )
    if not isinstance(media_type, str) or (media_type and not is_media_type(media_type)):
        raise RecordError(f"the media type of a payload is {_shown(media_type)}; give one such as `text/csv`")
    if isinstance(payload, bytes):
        return Portion(payload=_bounded(payload), carries=carries, media_type=media_type)
    if media_type:
        raise RecordError("a media type goes with bytes; what is not bytes is written by the content format")
    try:
        # Not decoded: a large one would hold up every other thread for as long as that takes.
        value = _checked(_bounded(payload.encode()))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        _refuse_beyond_a_double(items)
        raise RecordError(
            "build returned NaN, an infinity or half a surrogate pair, which JSON cannot say"
        ) from None
    if payload == "null":
        raise RecordError("build returned None; end it with `return` and the payload")
    return Portion(payload=value, carries=carries)


def _bounded(payload: bytes) -> bytes:
    if len(payload) > MOST_BYTES:
        raise RecordError(f"build returned a payload of {len(payload):,} bytes; {MOST_BYTES:,} is the most")
    return payload


def _refuse_beyond_a_double(items: Sequence[Any]) -> None:
    """RecordError for the items, if any, with a number that Python reads as an infinity: build may be innocent."""
    told = "holds the number {}, which Python reads as an infinity; have `types` make it a text"
    each: list[tuple[Any, str]] = []
    for item in items:
        found: list[str] = []
        json.loads(msgspec.json.encode(item), parse_float=partial(_note_if_endless, found))
        if found:
            each.append((item, told.format(_shown(found[0]))))
    if each:
        raise RecordError(each[0][1], each=each)


def _note_if_endless(found: list[str], text: str) -> None:
    if math.isinf(float(text)):
        found.append(text)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
