"""Outcome mapping: reading out of an answer what became of each record of its request. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from haulier.model.answers import Condition, OutcomeMapping, StatusWord
from haulier.model.delivery import DELIVERED, Verdict
from haulier.model.pointer import pick
from haulier.model.request import Response

__all__ = ["holds", "is_met", "items_of", "map_outcomes", "text_at"]

_decode = msgspec.json.Decoder().decode
_RETRY = frozenset({408, 425, 429, *range(500, 600)}) - {501}
_GOOD_WORDS = frozenset({"ok", "success", "succeeded", "created", "updated", "accepted", "true"})
_NOT_SPOKEN_OF = Verdict("unknown", "the answer does not speak of this record")
_LONGEST_REASON = 300


def map_outcomes(
    mapping: OutcomeMapping, response: Response, count: int, keys: Callable[[], Sequence[Any]]
) -> list[Verdict] | None:
    """A verdict for each of the `count` records; None where the answer holds no such list.

    keys: the value of each record's `key`, asked for only where the mapping needs it.
    """
    results = _results(mapping, response)
    if results is None:
        return None
    if mapping.by == "index":
        found = [_verdict(mapping, result, failed=False) for result in results[:count]]
        return found + [_NOT_SPOKEN_OF] * (count - len(found))
    failed = mapping.by == "errors"
    verdicts = [DELIVERED if failed else _NOT_SPOKEN_OF] * count
    for place, result in _placed(mapping, results, count, keys):
        verdicts[place] = _verdict(mapping, result, failed=failed)
    return verdicts


def items_of(
    mapping: OutcomeMapping, response: Response, count: int, keys: Callable[[], Sequence[Any]]
) -> list[Any] | None:
    """What the answer says of each of the `count` records, None of those it does not speak of; as `map_outcomes`."""
    results = _results(mapping, response)
    if results is None:
        return None
    if mapping.by == "index":
        return results[:count] + [None] * (count - len(results))
    items: list[Any] = [None] * count
    for place, result in _placed(mapping, results, count, keys):
        items[place] = result
    return items


def _results(mapping: OutcomeMapping, response: Response) -> list[Any] | None:
    try:
        found = pick(_decode(response.body), mapping.at)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(found, list):
        return found
    # Where everything went well, a list of errors is often left out.
    return [] if found is None and mapping.by == "errors" and 200 <= response.status < 300 else None


def _placed(
    mapping: OutcomeMapping, results: Sequence[Any], count: int, keys: Callable[[], Sequence[Any]]
) -> list[tuple[int, Any]]:
    """(place of the record in the batch, its result); results of no record of ours are passed over."""
    if mapping.index is not None:
        places = [(pick(result, mapping.index), result) for result in results]
        return [(place, result) for place, result in places if type(place) is int and 0 <= place < count]
    at: dict[str, list[int]] = {}
    for place, key in enumerate(keys()):
        at.setdefault(_text(key), []).append(place)
    assert mapping.key is not None
    named = [(at.get(_text(pick(result, mapping.key)), []), result) for result in results]
    return [(place, result) for places, result in named for place in places]


def _verdict(mapping: OutcomeMapping, result: Any, *, failed: bool) -> Verdict:
    reason = ""
    if mapping.reason is not None and (told := pick(result, mapping.reason)) is not None:
        reason = _text(told)[:_LONGEST_REASON]
    status = pick(result, mapping.status) if mapping.status is not None else None
    if status is None and mapping.delivered is not None and None in mapping.delivered and not failed:
        return DELIVERED if isinstance(result, dict) else _NOT_SPOKEN_OF
    if status is None:
        bad = failed or (mapping.status is None and bool(reason))
        if not bad and mapping.status is not None:
            return _NOT_SPOKEN_OF
        return Verdict("rejected", reason or "listed as failed") if bad else DELIVERED
    if not failed and _among(status, mapping.delivered, good=True):
        return DELIVERED
    said = f"the service says {_text(status)}{': ' + reason if reason else ''}"
    return Verdict("retry" if _among(status, mapping.retry, good=False) else "rejected", said)


def _among(status: Any, listed: Sequence[StatusWord | None] | None, *, good: bool) -> bool:
    if listed is not None:
        return any(_text(status).lower() == _text(word).lower() for word in listed)
    text = _text(status).lower()
    if text.isascii() and text.isdigit():
        return 200 <= int(text) < 300 if good else int(text) in _RETRY
    return good and text in _GOOD_WORDS


def holds(condition: Condition, response: Response) -> bool | None:
    """Whether an answer says what it must; None where its body is no JSON, so that it says nothing."""
    found = _at(condition.at, response)
    if found is None and not condition.at.startswith("header:") and not _is_json(response.body):
        return None
    if condition.absent:
        return found is None
    return found is not None and _text(found).lower() in {_text(value).lower() for value in condition.values}


def is_met(condition: Condition, value: Any) -> bool:
    """Whether a JSON value says what it must at a JSON pointer; it has no headers, so those are absent."""
    found = pick(value, condition.at) if condition.at.startswith("/") else None
    if condition.absent:
        return found is None
    return found is not None and _text(found).lower() in {_text(one).lower() for one in condition.values}


def _is_json(body: bytes) -> bool:
    try:
        _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def text_at(place: str, response: Response) -> str:
    """The text at a place of an answer, an empty one where nothing is there."""
    found = _at(place, response)
    return "" if found is None else _text(found)[:_LONGEST_REASON]


def _at(place: str, response: Response) -> Any:
    if place.startswith("header:"):
        return response.header(place.removeprefix("header:").lower())
    try:
        return pick(_decode(response.body), place)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
