"""From a block to what its records become: payloads or items, addresses, and the faults of single records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from haulier.model.block import Block
from haulier.model.expression import Fault
from haulier.model.paths import written_path
from haulier.model.request import FilePart
from haulier.pipeline.address import Address, with_attributes
from haulier.pipeline.attributes import decode
from haulier.pipeline.bounds import Bounds
from haulier.pipeline.items import items_of
from haulier.pipeline.keys import Key, keys_of
from haulier.pipeline.shaping import Shaper
from haulier.pipeline.spec import PlanSpec

__all__ = ["Payloads", "ReadBlock"]

_encode = msgspec.json.Encoder().encode


class ReadBlock(NamedTuple):
    """What a block holds: an item for each record, addresses (one for all, or one each), index -> fault, and the keys
    that records are grouped by, where they are.
    """

    items: list[Any]
    addresses: Address | list[Address | Fault]
    faults: dict[int, str]
    keys: list[Key] | None


class Payloads:
    """Reads blocks the way a plan says."""

    def __init__(self, spec: PlanSpec) -> None:
        self._spec = spec
        self._shaper = Shaper(spec.shape, values=spec.way == "full") if spec.shape.asks else None
        self._bounds = Bounds(spec.bounds) if spec.bounds else None
        self._ungrouped = set(range(len(spec.group_by)))
        self._any = False

    def remarks(self) -> tuple[str, ...]:
        """What was asked for attributes that no record has had so far, and values out of bounds, in words."""
        told = list(self._shaper.unseen()) if self._shaper is not None else []
        if self._any:
            told += (
                f"batching.group_by: no record so far has the attribute `{written_path(self._spec.group_by[at])}`; "
                "is it spelt so?"
                for at in sorted(self._ungrouped)
            )
        return (*told, *(self._bounds.remarks() if self._bounds is not None else ()))

    def _look(self, items: list[Any], keys: list[Key] | None) -> None:
        """Note which of the attributes that records are grouped by there are."""
        self._any = self._any or any(item is not None for item in items)
        for key in keys or ():
            self._ungrouped.difference_update(at for at, text in enumerate(key) if text is not None)
            if not self._ungrouped:
                break

    def read(self, block: Block) -> ReadBlock:
        """The items, addresses, faults and keys of a block."""
        spec = self._spec
        items, faults = decode(block, spec.way)
        if self._shaper is not None:
            self._shaper.read(items, faults)
        if self._bounds is not None:
            self._bounds.look(items, faults)
        addresses = self._addresses(items, faults)
        keys = keys_of(items, spec.group_by) if spec.group_by else None
        values = self._body_values(items, faults) if spec.grouping is None else []
        if self._shaper is not None:
            items = self._shaper.send(items, faults)
        if self._ungrouped:
            self._look(items, keys)
        if spec.item is not None:
            items = items_of(items, spec.item, faults, values=spec.way == "full")
        elif spec.grouping is None and spec.attributes != "body":
            if spec.attributes == "query":
                addresses = self._queried(items, addresses, faults)
            items = [{} for _ in items]
        if values or spec.files:
            items = self._with_values(block, items, values, faults)
        if spec.weighed and spec.way == "shallow":
            # Written once, here: then what a body comes to is a sum, and placing them costs nothing.
            items = [item if item is None else msgspec.Raw(_encode(item)) for item in items]
        return ReadBlock(items, addresses, faults, keys)

    def _addresses(self, items: list[Any], faults: dict[int, str]) -> Address | list[Address | Fault]:
        """One address for all records, or one each."""
        book = self._spec.address
        if book.constant is not None:
            return book.constant
        addresses = book.block([item if item is not None else {} for item in items])
        for index, address in enumerate(addresses):
            if isinstance(address, Fault):
                faults.setdefault(index, address.reason)
        return addresses

    def _body_values(self, items: list[Any], faults: dict[int, str]) -> list[tuple[str, Sequence[Any]]]:
        """Each body parameter with its value for each record; a Fault where an optional one has none."""
        if not self._spec.body:
            return []
        records = [item if item is not None else {} for item in items]
        columns: list[tuple[str, Sequence[Any]]] = []
        for value in self._spec.body:
            column = value.column(records)
            for index, one in enumerate(column):
                if isinstance(one, Fault) and (value.required or not one.absent):
                    faults.setdefault(index, f"parameter {value.name}: {one.reason}")
            columns.append((value.name, column))
        return columns

    def _queried(
        self, items: list[Any], addresses: Address | list[Address | Fault], faults: dict[int, str]
    ) -> Any:
        """The addresses with the attributes of each record as query parameters."""
        shared = addresses if isinstance(addresses, Address) else None
        queried: list[Address | Fault] = []
        for index, item in enumerate(items):
            address = shared or addresses[index]  # type: ignore[index]
            if item is not None and isinstance(address, Address):
                address = with_attributes(address, item, self._spec.booleans)
                if isinstance(address, Fault):
                    faults.setdefault(index, address.reason)
            queried.append(address)
        return queried

    def _with_values(
        self, block: Block, items: list[Any], values: list[tuple[str, Sequence[Any]]], faults: dict[int, str]
    ) -> list[Any]:
        """The payload of each record with its body parameters and file parts."""
        payloads: list[Any] = []
        for index, item in enumerate(items):
            payload = dict(item) if isinstance(item, dict) else {}
            for name, column in values:
                if not isinstance(column[index], Fault):
                    payload[name] = column[index]
            if self._spec.files:
                self._add_files(block, index, payload, faults)
            payloads.append(payload)
        return payloads

    def _add_files(self, block: Block, index: int, payload: dict[str, Any], faults: dict[int, str]) -> None:
        found = block.files[index] if block.files is not None else {}
        for name in self._spec.files:
            part = found.get(name)
            if isinstance(part, FilePart):
                payload[name] = part
            elif part is not None:
                faults.setdefault(index, part)
