"""A destination with some settings changed by path, as `--set limits.max_in_flight=4` says; nothing is saved."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from haulier.errors import DestinationError
from haulier.io.destinations import destination_from
from haulier.model.written_number import number_of
from haulier.runs.resolving.site import DestinationLike, site_of

__all__ = ["adjusted", "apply_changes", "value_of"]


def adjusted(
    destination: DestinationLike, changes: Mapping[str, str], *, state: str | os.PathLike[str] | None = None
) -> DestinationLike:
    """The destination as given where nothing changes; else a new one with the changes, checked as a file is."""
    if not changes:
        return destination
    given = site_of(destination, state=state).destination
    written = given.model_dump(mode="python", exclude_unset=True)
    apply_changes(written, changes)
    return destination_from({**written, "name": given.name})


def apply_changes(written: dict[str, Any], changes: Mapping[str, str]) -> None:
    """Set values by path in a destination as written. `null` takes a setting away.

    DestinationError where a path leads through something that is no mapping. That the result is a destination at all
    is checked by whoever reads it.
    """
    for path, text in changes.items():
        *way, last = path.split(".")
        place = written
        for depth, step in enumerate(way):
            inner = place.get(step)
            if step == "grouping" and isinstance(inner, str):
                inner = {"name": inner}
            if inner is None or isinstance(inner, bool):
                inner = {}
            if not isinstance(inner, Mapping):
                raise DestinationError(
                    f"--set {path}: `{'.'.join(way[: depth + 1])}` is no mapping; set it as a whole, as JSON"
                )
            place[step] = dict(inner)
            place = place[step]
        value = value_of(text)
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value


def value_of(text: str) -> Any:
    """A typed value: JSON where the text is JSON, else the text itself (`no` and `0123` stay text)."""
    try:
        return json.loads(text, parse_float=number_of, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(text: str) -> Any:
    raise ValueError(text)
