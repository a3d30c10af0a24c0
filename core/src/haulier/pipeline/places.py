"""Whether a grouping has placed every record of its batch, and each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from haulier.errors import PluginError, RecordError
from haulier.model.parts import Portion

__all__ = ["check_carried", "check_places"]

_SHOWN_CHARACTERS = 60


def check_places(payload: Any, items: Sequence[Any], *, what: str, where: Callable[[int], str]) -> None:
    """Pass where each of the opaque items stands in the payload exactly once; else PluginError: records were lost.

    what: the grouping, as messages name it; where: an item, by its index.
    The list that nearly every grouping makes is compared at once; anything else is looked through.
    """
    candidates = payload.values() if type(payload) is dict else (payload,)
    for value in candidates:
        if type(value) is list and (value is items or value == items):
            return
    found: Counter[int] = Counter()
    pending = [payload]
    mine = {id(item) for item in items}
    while pending:
        value = pending.pop()
        if id(value) in mine:
            found[id(value)] += 1
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list | tuple):
            pending.extend(value)
    lost = [at for at, item in enumerate(items) if not found[id(item)]]
    doubled = [at for at, item in enumerate(items) if found[id(item)] > 1]
    if lost and not found and not isinstance(payload, dict | list | tuple):
        raise PluginError(
            f"{what} returned {'None' if payload is None else f'a value of type {type(payload).__name__}'}; it must "
            "return a dict or a list in which every record stands exactly once, or a tuple of Portion"
        )
    if lost or doubled:
        raise PluginError(
            f"{what} left out {len(lost)} of {len(items)} records and placed {len(doubled)} more than once (first: "
            f"{where((lost or doubled)[0])}); it must place every record exactly once"
        )


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
