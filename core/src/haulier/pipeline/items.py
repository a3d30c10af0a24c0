"""What each record becomes inside of its batch, as `batching.item` says: one attribute's value, or some attributes.

One rule for both: a record that lacks an attribute that is named is rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from haulier.model.column import Fault, values_at
from haulier.model.paths import written_path
from haulier.pipeline.attributes import kind_of

if TYPE_CHECKING:
    from haulier.model.connector import ItemType

__all__ = ["ItemAsked", "items_of"]

_encode = msgspec.json.Encoder().encode
_KINDS = {"text": "a text", "object": "an object"}


class ItemAsked(msgspec.Struct, frozen=True, gc=False):
    """The attributes that a record is reduced to, by path. alone: the value of the only one, without its name.

    kind: what each of them must be; `any` leaves that to the service.
    """

    paths: tuple[tuple[str, ...], ...]
    alone: bool = False
    kind: ItemType = "any"


def items_of(
    records: Sequence[dict[str, Any] | None], asked: ItemAsked, faults: dict[int, str], *, values: bool
) -> list[Any]:
    """What each record becomes, attributes in the order they were asked for; one that lacks one is added to the faults.

    values: records are decoded, else mappings of attribute -> msgspec.Raw, as what comes back is.
    """
    present: list[Mapping[str, Any]] = [record if record is not None else {} for record in records]
    columns = [(path, values_at(path)(present)) for path in asked.paths]
    for path, column in columns:
        for index, value in enumerate(column):
            if type(value) is Fault and records[index] is not None:
                faults.setdefault(index, _lacks(present[index], path))
        if asked.kind != "any":
            _add_misfits(path, column, _KINDS[asked.kind], faults)
    if asked.alone:
        ((_, column),) = columns
        return [None if index in faults else value for index, value in enumerate(column)]
    names = [path[0] for path, _ in columns]
    if all(len(path) == 1 for path in asked.paths):
        rows = zip(*(column for _, column in columns), strict=True)
        return [
            None if index in faults else dict(zip(names, row, strict=True)) for index, row in enumerate(rows)
        ]
    return [
        None if index in faults else _nested([(path, column[index]) for path, column in columns], values)
        for index in range(len(records))
    ]


def _add_misfits(path: tuple[str, ...], column: Sequence[Any], wanted: str, faults: dict[int, str]) -> None:
    """Add to the faults each record whose value is of another kind; null is of none."""
    for index, value in enumerate(column):
        if type(value) is Fault:
            continue
        kind = kind_of(bytes(value) if type(value) is msgspec.Raw else _encode(value))
        if kind != wanted:
            faults.setdefault(
                index,
                f"attribute `{written_path(path)}` is {kind}; what goes into the list of this call is {wanted}",
            )


def _nested(found: Sequence[tuple[tuple[str, ...], Any]], values: bool) -> dict[str, Any]:
    """An object with these values below these paths."""
    made: dict[str, Any] = {}
    for path, value in found:
        at = made
        for name in path[:-1]:
            at = at.setdefault(name, {})
        at[path[-1]] = value
    if values:
        return made
    return {
        name: msgspec.Raw(_encode(value)) if type(value) is dict else value for name, value in made.items()
    }


def _lacks(record: Mapping[str, Any], path: tuple[str, ...]) -> str:
    whole = ".".join(path)
    hint = f'; there is one named `{whole}`: write ["{whole}"]' if len(path) > 1 and whole in record else ""
    return f"has no attribute `{written_path(path)}`, which `batching.item` asks for (by its name after `rename`){hint}"
