"""Outcome mapping: reading out of an answer what became of each record of its request. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from haulier.delivery.unfound import (
    NOT_SPOKEN_OF,
    NoKey,
    in_order,
    misspelt_list,
    unspoken_of,
    without_status,
)
from haulier.model.answers import Condition, OutcomeMapping, StatusWord
from haulier.model.delivery import DELIVERED, Verdict
from haulier.model.json_value import NO_JSON, as_text, decoded, is_json
from haulier.model.pointer import look_up, pick
from haulier.model.request import Response

__all__ = ["holds", "is_met", "items_of", "map_outcomes", "text_at"]

_RETRY = frozenset({408, 425, 429, *range(500, 600)}) - {501}
_GOOD_WORDS = frozenset({"ok", "success", "succeeded", "created", "updated", "accepted", "true"})
_LONGEST_REASON, _LONGEST_KEY = 300, 100


def map_outcomes(
    mapping: OutcomeMapping, response: Response, count: int, keys: Callable[[], Sequence[Any]]
) -> list[Verdict] | None:
    """A verdict for each of the `count` records; None where the answer holds no such list.

    keys: the value of each record's `key`, or its NoKey; asked for only where the mapping needs it.
    """
    results = _results(mapping, response)
    if results is None:
        return None
    if in_order(mapping):
        found = [_verdict(mapping, result, failed=False) for result in results[:count]]
        return found + [NOT_SPOKEN_OF] * (count - len(found))
    failed = mapping.by == "errors"
    if mapping.index is not None:
        indexed = _indexed(mapping.index, results, count)
        verdicts = [unspoken_of(mapping, results, len(indexed))] * count
        said_at: dict[int, list[Verdict]] = {}
        for place, result in indexed:
            said_at.setdefault(place, []).append(_verdict(mapping, result, failed=failed))
        for place, told in said_at.items():
            verdicts[place] = _of_one(told)
        return verdicts
    ours = keys()
    named = _named(mapping, results, ours)
    rest = unspoken_of(mapping, results, sum(len(said) for _, _, said in named))
    verdicts = [key.verdict if isinstance(key, NoKey) and rest is not DELIVERED else rest for key in ours]
    for key, places, said in named:
        told = _agreed(key, len(places), [_verdict(mapping, result, failed=failed) for result in said])
        for place, verdict in zip(places, told, strict=True):
            verdicts[place] = verdict
    return verdicts


def items_of(
    mapping: OutcomeMapping, response: Response, count: int, keys: Callable[[], Sequence[Any]]
) -> list[Any] | None:
    """What the answer says of each of the `count` records, None of those it does not speak of; as `map_outcomes`."""
    results = _results(mapping, response)
    if results is None:
        return None
    if in_order(mapping):
        return results[:count] + [None] * (count - len(results))
    items: list[Any] = [None] * count
    if mapping.index is not None:
        for place, result in _indexed(mapping.index, results, count):
            items[place] = result
        return items
    for _, places, said in _named(mapping, results, keys()):
        # Which of several is whose nobody says, so it is only told where they are the same.
        if len(places) == 1 or (len(said) == len(places) and said.count(said[0]) == len(said)):
            for place in places:
                items[place] = said[-1]
    return items


def _results(mapping: OutcomeMapping, response: Response) -> list[Any] | None:
    try:
        value = decoded(response.body)
    except NO_JSON:
        return None
    found = pick(value, mapping.at)
    if isinstance(found, list):
        return found
    # Where everything went well, a list of errors is often left out.
    left_out = found is None and mapping.by == "errors" and 200 <= response.status < 300
    return [] if left_out and not misspelt_list(mapping, value) else None


def _indexed(index: str, results: Sequence[Any], count: int) -> list[tuple[int, Any]]:
    """(place of the record in the batch, its result); results of no record of ours are passed over."""
    places = [(pick(result, index), result) for result in results]
    return [(place, result) for place, result in places if type(place) is int and 0 <= place < count]


def _named(
    mapping: OutcomeMapping, results: Sequence[Any], keys: Sequence[Any]
) -> list[tuple[str, list[int], list[Any]]]:
    """(key, places of the records that have it, its results), for each key of ours that the answer names."""
    at: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        if not isinstance(key, NoKey):
            at.setdefault(as_text(key), []).append(place)
    assert mapping.key is not None
    said: dict[str, list[Any]] = {}
    for result in results:
        found = pick(result, mapping.key)
        if found is not None and (key := as_text(found)) in at:
            said.setdefault(key, []).append(result)
    return [(key, at[key], found) for key, found in said.items()]


def _agreed(key: str, records: int, told: list[Verdict]) -> list[Verdict]:
    """A verdict for each of the records with this key, of what the answer tells of the key."""
    if records == 1:
        return [_of_one(told)]
    if len({verdict.kind for verdict in told}) == 1 and len(told) == records:
        return told
    shown = key[:_LONGEST_KEY]
    why = (
        f"{records} records of the batch have the key {shown}; the answer does not say which of them it means"
    )
    return [Verdict("unknown", why)] * records


def _of_one(told: list[Verdict]) -> Verdict:
    """What comes of all that the answer tells of one record: of two faults the one that lasts."""
    kinds = {verdict.kind for verdict in told}
    if kinds == {"retry", "rejected"}:
        return next(verdict for verdict in told if verdict.kind == "rejected")
    if len(kinds) > 1:
        return Verdict("unknown", f"the answer speaks of this record {len(told)} times, and not alike")
    return told[-1]


def _verdict(mapping: OutcomeMapping, result: Any, *, failed: bool) -> Verdict:
    reason = ""
    if mapping.reason is not None and (told := pick(result, mapping.reason)) is not None:
        reason = as_text(told)[:_LONGEST_REASON]
    status = pick(result, mapping.status) if mapping.status is not None else None
    if status is None:
        return _without_status(mapping, result, reason, failed=failed)
    if not failed and _among(status, mapping.delivered, good=True):
        return DELIVERED
    said = f"the service says {as_text(status)}{': ' + reason if reason else ''}"
    return Verdict("retry" if _among(status, mapping.retry, good=False) else "rejected", said)


def _without_status(mapping: OutcomeMapping, result: Any, reason: str, *, failed: bool) -> Verdict:
    """The verdict on a result that has no status, or of which none is to be read."""
    if failed:
        return Verdict("rejected", reason or "listed as failed")
    if mapping.delivered is not None and None in mapping.delivered:
        return DELIVERED if isinstance(result, dict) else NOT_SPOKEN_OF
    if mapping.status is not None:
        return without_status(result, mapping.status)
    return Verdict("rejected", reason) if reason else DELIVERED


def _among(status: Any, listed: Sequence[StatusWord | None] | None, *, good: bool) -> bool:
    if listed is not None:
        return _is_one_of(status, listed)
    text = as_text(status).lower()
    if text.isascii() and text.isdigit():
        return 200 <= int(text) < 300 if good else int(text) in _RETRY
    return good and text in _GOOD_WORDS


def _is_one_of(value: Any, listed: Sequence[StatusWord | None]) -> bool:
    """Whether a value is listed; small and capital letters count as the same."""
    text = as_text(value).lower()
    return any(text == as_text(one).lower() for one in listed)


def holds(condition: Condition, response: Response) -> bool | None:
    """Whether an answer says what it must; None where its body is no JSON, so that it says nothing."""
    found = _at(condition.at, response)
    if found is None and not condition.at.startswith("header:") and not is_json(response.body):
        return None
    return _meets(found, condition)


def is_met(condition: Condition, value: Any) -> bool:
    """Whether a JSON value says what it must at a JSON pointer; it has no headers, so those are absent."""
    return _meets(pick(value, condition.at) if condition.at.startswith("/") else None, condition)


def _meets(found: Any, condition: Condition) -> bool:
    return found is None if condition.absent else found is not None and _is_one_of(found, condition.values)


def text_at(place: str, response: Response) -> str:
    """The text at a place of an answer, an empty one where nothing is there."""
    found = _at(place, response)
    return "" if found is None else as_text(found)[:_LONGEST_REASON]


def _at(place: str, response: Response) -> Any:
    if place.startswith("header:"):
        return response.header(place.removeprefix("header:").lower())
    return look_up(response.body, place)
