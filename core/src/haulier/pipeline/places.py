"""Whether a grouping has placed every record of its batch, and each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from haulier.errors import PluginError, RecordError
from haulier.model.parts import Portion

__all__ = ["check_carried", "check_places"]

_SHOWN_CHARACTERS = 60
_NESTS = (dict, list, tuple)
# Whatever stands for a record, but for an attribute that is a number or a text.
_RECORDS = (dict, list, msgspec.Raw)
_DEEPEST = 1_000  # levels of a payload: one that holds itself has no end


def check_places(
    payload: Any, items: Sequence[Any], *, what: str, where: Callable[[int], str], anew: bool = False
) -> None:
    """Pass where each of the items stands in the payload exactly once; else PluginError: records were lost.

    what: the grouping, as messages name it; where: an item, by its index. anew: it looks into its items and may make
    values of its own of them: all of them, or it places all. What was made anew nobody can hold against a record.
    The list that nearly every grouping makes is compared at once; anything else is looked through.
    """
    if _is_list_of(items, payload, what):
        return
    found = Counter(map(id, _values(payload, set(map(id, items)), what)))
    # A number or a text may be one object for several records, and elsewhere, too.
    told = Counter(map(id, items))
    records = [at for at, item in enumerate(items) if isinstance(item, _RECORDS)]
    placed = any(found[id(items[at])] for at in records)
    if anew and not placed and (payload or not isinstance(payload, _NESTS)):
        return
    of_interest = records if anew and placed else range(len(items))
    lost = [at for at in of_interest if found[id(items[at])] < told[id(items[at])]]
    doubled = [at for at in records if found[id(items[at])] > told[id(items[at])]]
    if lost and not placed and not isinstance(payload, _NESTS):
        raise PluginError(
            f"{what} returned {'None' if payload is None else f'a value of type {type(payload).__name__}'}; it must "
            "return a dict or a list in which every record stands exactly once, or a tuple of Portion"
        )
    if lost or doubled:
        way = "; to change some, make a new value of each, or return Portions with `carries`" if anew else ""
        raise PluginError(
            f"{what} left out {len(lost)} of {len(items)} records and placed {len(doubled)} more than once (first: "
            f"{where((lost or doubled)[0])}); it must place every record exactly once{way}"
        )


def _is_list_of(items: Sequence[Any], payload: Any, what: str) -> bool:
    """Whether a payload is the list of all items, or a mapping that has it once and none of them elsewhere."""
    values = payload.values() if type(payload) is dict else (payload,)
    lists = [value for value in values if type(value) is list and (value is items or value == items)]
    if len(lists) != 1:
        return False
    beside = [one for one in values if one is not lists[0]]
    return not beside or {*map(id, _values(beside, (), what))}.isdisjoint(map(id, items))


def _values(payload: Any, unread: Container[int], what: str) -> Iterator[Any]:
    """All that stands in a payload, however deep; unread: ids of what is not looked into."""
    pending = [(payload, 0)]
    while pending:
        value, depth = pending.pop()
        yield value
        if id(value) in unread or not isinstance(value, _NESTS):
            continue
        if depth == _DEEPEST:
            raise PluginError(
                f"{what} returned a payload that holds itself, or nests deeper than {_DEEPEST:,} levels; it must be "
                "what JSON can say"
            )
        inner = value.values() if isinstance(value, dict) else value
        pending.extend([(one, depth + 1) for one in inner])


def check_carried(portions: Sequence[Any], count: int) -> None:
    """Pass where the portions of a batch carry each of its `count` records exactly once; else RecordError."""
    for at, portion in enumerate(portions):
        if type(portion) is not Portion:
            raise RecordError(
                f"a tuple of Portion has {_shown(portion)} at its place {at}; make each of its payloads a Portion"
            )
    if len(portions) == 1 and portions[0].carries is None:
        return
    found: list[int] = []
    for portion in portions:
        carried = range(count) if portion.carries is None else portion.carries
        _check_named(carried, count)
        found += carried
    told = Counter(found)
    lost = [at for at in range(count) if at not in told]
    doubled = [at for at, times in told.items() if times > 1]
    if lost or doubled:
        first = f"record {lost[0]} is in none" if lost else f"record {doubled[0]} is in two"
        raise RecordError(
            f"the payloads leave out {len(lost)} of {count} records and carry {len(doubled)} more than once "
            f"({first}); every record is carried exactly once"
        )


def _check_named(carried: Any, count: int) -> None:
    """Pass where one portion names records of its batch, at least one, in order, and each once; else RecordError."""
    if not isinstance(carried, Sequence) or {*map(type, carried)} - {int}:
        raise RecordError(
            f"a payload carries {_shown(carried)}; give the indices of its records in the batch: carries=[0, 1]"
        )
    if (wrong := next((at for at in carried if not 0 <= at < count), None)) is not None:
        raise RecordError(f"a payload names the record {wrong} of a batch of {count}; they count from 0")
    if len(set(carried)) < len(carried):
        twice = next(at for at, times in Counter(carried).items() if times > 1)
        raise RecordError(f"a payload names the record {twice} twice; name each once")
    if any(after < before for before, after in pairwise(carried)):
        raise RecordError("a payload names its records out of order; name them as they came, each once")
    if not carried:
        raise RecordError("a payload names no record; each payload carries one at least")


def _shown(value: Any) -> str:
    """A value that a plugin gave, for a message: cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
