"""Whether a grouping has placed every record of its batch, and each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from haulier.errors import PluginError

__all__ = ["check_places"]


def check_places(payload: Any, items: Sequence[Any]) -> None:
    """Pass where each of the opaque items stands in the payload exactly once; else PluginError: records were lost.

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
    lost = sum(1 for item in items if not found[id(item)])
    doubled = sum(1 for count in found.values() if count > 1)
    if lost or doubled:
        raise PluginError(
            f"the grouping left out {lost} of {len(items)} records and placed {doubled} more than once; "
            "it must place every record exactly once"
        )
