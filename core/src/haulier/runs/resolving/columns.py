"""Columns of an output that its lines cannot fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haulier.model.destination import OutputChoice

__all__ = ["empty_columns"]


def empty_columns(outputs: Sequence[OutputChoice]) -> tuple[str, ...]:
    """A warning for each output whose columns are of one record, where the lines are of batches."""
    found = []
    for output in outputs:
        columns = output.settings.get("columns")
        places = list(columns.values()) if isinstance(columns, Mapping) else columns
        if not isinstance(places, list):
            continue
        empty = [str(place) for place in places if str(place).strip("/").split("/")[0] in ("key", "record")]
        if empty:
            found.append(
                f"outputs {output.to}: the line of a batch has `keys` and `records`, no `key` and `record`, so these "
                f"columns stay empty for it: {', '.join(empty)}; name places such as /keys/0 or /records/0/name"
            )
    return tuple(found)
