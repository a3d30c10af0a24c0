"""Where a setting that reads answers finds nothing: what that comes to, and words that name the setting. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from haulier.model.answers import Condition, OutcomeMapping
from haulier.model.closest import closest
from haulier.model.delivery import DELIVERED, Verdict
from haulier.model.json_value import NO_JSON, decoded
from haulier.model.pointer import names_of, nothing_at, pick
from haulier.model.request import Response

__all__ = [
    "NOT_SPOKEN_OF",
    "NoKey",
    "in_order",
    "misspelt_list",
    "no_key",
    "no_list",
    "unmet",
    "unspoken_of",
    "without_status",
]

NOT_SPOKEN_OF = Verdict("unknown", "the answer does not speak of this record")
_MOST_NAMES = 100  # of an answer's object, among which one that is like a wanted one is looked for


class NoKey(msgspec.Struct, frozen=True, gc=False):
    """Stands for the key of a record that has none. verdict: what becomes of it where its result is found by that."""

    verdict: Verdict


def no_key(record: Mapping[str, Any], key: str | None) -> NoKey:
    """Of a record without the attribute that names it, or with null there."""
    found = f"is null in the record; it has {names_of(record)}"
    if key not in record:
        found = f"is no attribute of the record, which has {names_of(record)}"
    told = (
        f"`{key}` (`key`) {found}: nobody can tell which result is its own; write the attribute that names it"
    )
    return NoKey(Verdict("unknown", told))


def in_order(mapping: OutcomeMapping) -> bool:
    """Whether results come in the order of the records, instead of naming their place."""
    return mapping.by == "index" and mapping.index is None


def unspoken_of(mapping: OutcomeMapping, results: Sequence[Any], found: int) -> Verdict:
    """What holds for records of which no result speaks. found: how many of the results speak of a record at all.

    Where failures are listed of which nobody can tell whose they are, any of these records may be the one.
    """
    lost = len(results) - found
    if mapping.by == "errors":
        if not lost:
            return DELIVERED
        return Verdict(
            "unknown",
            f"the answer lists {lost:,} of {len(results):,} failures that name no record of the request, so it may be "
            f"this one: {_unnamed(mapping, results)}",
        )
    if found or not results:
        return NOT_SPOKEN_OF
    return Verdict("unknown", f"{NOT_SPOKEN_OF.reason}, nor of any other: {_unnamed(mapping, results)}")


def _unnamed(mapping: OutcomeMapping, results: Sequence[Any]) -> str:
    """Why results name no record of ours, told of the first that has nothing where it should, and the way out."""
    name = "index" if mapping.index is not None else "key"
    pointer = getattr(mapping, name) or ""
    what = "a place in the batch, from 0" if name == "index" else "the value of the record's `key`"
    empty = [result for result in results if pick(result, pointer) is None]
    if not empty:
        return f"what stands at `{pointer}` of a result (`outcomes.{name}`) must be {what}"
    return (
        f"nothing stands at `{pointer}` of a result (`outcomes.{name}`): {nothing_at(empty[0], pointer)}; write the "
        f"pointer to {what}"
    )


def without_status(result: Any, pointer: str) -> Verdict:
    """The verdict on a result that has nothing where its status is looked for."""
    return Verdict(
        "unknown",
        f"nothing stands at `{pointer}` of its result (`outcomes.status`): {nothing_at(result, pointer)}; write the "
        "pointer to the status, or null in `outcomes.delivered` where a result without one was delivered",
    )


def no_list(mapping: OutcomeMapping, response: Response) -> str:
    """Why a success is not understood in which results were to be; empty where it lists no failure as there is none."""
    told = "the answer holds no list of results, where each record was to have one"
    if mapping.by == "errors":
        if not response.body.strip():
            return ""
        told = "the answer holds no list of failures"
    try:
        value = decoded(response.body)
    except NO_JSON:
        return f"{told}: it is no JSON"
    if pick(value, mapping.at) is not None:
        return f"{told}: what stands at `{mapping.at}` (`outcomes.at`) is none"
    if mapping.by == "errors" and not misspelt_list(mapping, value):
        return ""
    return (
        f"{told}: nothing stands at `{mapping.at}` (`outcomes.at`), {nothing_at(value, mapping.at)}; write the pointer "
        "to the list"
    )


def misspelt_list(mapping: OutcomeMapping, value: Any) -> bool:
    """Whether an answer lists something under a name that is like the one where failures are looked for.

    Where all went well the list is often left out: only so is that told from a setting that is misspelt.
    """
    around, _, wanted = mapping.at.rpartition("/")
    beside = pick(value, around)
    if not isinstance(beside, dict) or wanted in beside or len(beside) > _MOST_NAMES:
        return False
    close = closest(wanted.lower(), [name.lower() for name in beside], 0.8, 3)
    return any(isinstance(found, list) and found and name.lower() in close for name, found in beside.items())


def unmet(condition: Condition, response: Response) -> str:
    """Words for a condition that looks where an answer of JSON has nothing; empty where something stands there."""
    if condition.absent:
        return ""
    if condition.at.startswith("header:"):
        name = condition.at.removeprefix("header:")
        return "" if response.header(name.lower()) else f"; it has no header {name} (`success_when.at`)"
    value = decoded(response.body)
    if pick(value, condition.at) is not None:
        return ""
    return f"; nothing stands at `{condition.at}` (`success_when.at`), {nothing_at(value, condition.at)}"
