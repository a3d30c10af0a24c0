"""What is changed about the attributes of a record between reading it and encoding it.

In this order: `types` (before anything reads the record), then addresses, headers, params and `key` read it whole, then
`include`, `exclude`, `rename` and `add` make of it what is sent. A path goes through objects, never into lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

from haulier.model.expression import Expression, Fault, RunFacts, value_block
from haulier.model.json_value import decoded, members
from haulier.model.paths import written_path
from haulier.pipeline.attributes import drop
from haulier.pipeline.types import Type, typed

__all__ = ["Shape", "Shaper", "TypeAsked"]

Path: TypeAlias = tuple[str, ...]
Item: TypeAlias = "dict[str, Any] | None"

_encode = msgspec.json.Encoder().encode
# Include's tree: name -> what is kept below it; None: all of it.
_Kept: TypeAlias = "dict[str, Any]"


class TypeAsked(msgspec.Struct, frozen=True, gc=False):
    """One entry of `types`."""

    path: Path
    kind: Type
    empty_is_null: bool = False


class Shape(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is to be changed, with paths as names. rename: path -> the last name anew.

    add: path -> JSON text, or an expression; what of the run is in it must be filled in by `resolve`.
    """

    types: tuple[TypeAsked, ...] = ()
    include: tuple[Path, ...] = ()
    exclude: tuple[Path, ...] = ()
    rename: tuple[tuple[Path, str], ...] = ()
    add: tuple[tuple[Path, bytes | Expression], ...] = ()

    @property
    def asks(self) -> bool:
        """Whether there is anything to do."""
        return any((self.types, self.include, self.exclude, self.rename, self.add))

    @property
    def record_paths(self) -> tuple[Path, ...]:
        """The attribute paths that are read for `add`."""
        return tuple(path for one in self._expressions() for path in one.record_paths)

    @property
    def varies(self) -> bool:
        """Whether what is added differs from run to run by itself."""
        return any(one.varies for one in self._expressions())

    def resolve(self, facts: RunFacts) -> Shape:
        """The same with the facts of a run filled in; ExpressionError names a param that was not given."""
        return msgspec.structs.replace(
            self,
            add=tuple(
                (path, value if isinstance(value, bytes) else _resolved(value, facts))
                for path, value in self.add
            ),
        )

    def _expressions(self) -> Iterator[Expression]:
        return (value for _, value in self.add if isinstance(value, Expression))


class Shaper:
    """Shapes blocks of records in place; remembers which names no record has had so far.

    Records are mappings of attribute -> msgspec.Raw, or decoded ones; `values` says which.
    """

    def __init__(self, shape: Shape, *, values: bool) -> None:
        self._shape = shape
        self._values = values
        self._kept = _tree(shape.include)
        self._out_names = frozenset(path[0] for path in shape.exclude if len(path) == 1)
        self._out_paths = tuple(path for path in shape.exclude if len(path) > 1)
        self._one_by_one = bool(self._out_paths or shape.include or shape.rename or shape.add)
        self._renamed = _by_parent(shape.rename)
        self._added = [
            (path, decoded(text) if values else Raw(text))
            for path, text in shape.add
            if isinstance(text, bytes)
        ]
        self._from_records = [(path, one) for path, one in shape.add if isinstance(one, Expression)]
        self._columns: list[tuple[Path, list[Any]]] = []
        self._seen_any = False
        self._dotted: set[str] = set()
        self._unseen: dict[Path, str] = {
            **{asked.path: "types" for asked in shape.types},
            **{path: "rename" for path, _ in shape.rename},
            **dict.fromkeys(shape.include, "include"),
            **dict.fromkeys(shape.exclude, "exclude"),
        }

    def unseen(self) -> tuple[str, ...]:
        """What was asked for attributes that no record has had, in words; empty before the first record."""
        if not self._seen_any:
            return ()
        return tuple(
            f"{setting}: no record so far has the attribute `{written_path(path)}`; {self._hint(path)}"
            for path, setting in self._unseen.items()
        )

    def _hint(self, path: Path) -> str:
        whole = ".".join(path)
        return (
            f'there is one named `{whole}`: write ["{whole}"]' if whole in self._dotted else "is it spelt so?"
        )

    def read(self, items: Sequence[Item], faults: dict[int, str]) -> None:
        """What is done before anything reads the records: types, and noting which names there are."""
        for asked in self._shape.types:
            change = partial(self._type, asked)
            for index, item in enumerate(items):
                if item is None or index in faults or asked.path[0] not in item:
                    continue
                try:
                    self._edit(item, asked.path, change)
                except ValueError as error:
                    faults[index] = f"attribute `{written_path(asked.path)}` {error}"
        if self._unseen:
            self._look(items)

        self._columns = [
            (path, value_block(source, [item if item is not None else {} for item in items]))
            for path, source in self._from_records
        ]

    def send(self, items: list[Item], faults: dict[int, str]) -> list[Item]:
        """What of the records is sent; a record in which two attributes would have one name is a fault."""
        if self._out_names:
            drop(items, self._out_names)
        if not self._one_by_one:
            return items
        return [item if item is None else self._one(item, index, faults) for index, item in enumerate(items)]

    def _one(self, item: dict[str, Any], index: int, faults: dict[int, str]) -> dict[str, Any]:
        if self._kept:
            item = self._only(item, self._kept)
        for path in self._out_paths:
            self._edit(item, path, lambda holder, name: holder.pop(name, None))
        try:
            for parent, names in self._renamed:
                item = self._within(item, parent, partial(_renamed, names))
            for path, value in self._added:
                item = self._with(item, path, value)
            for path, column in self._columns:
                item = self._with(item, path, self._taken(column[index], path))
        except ValueError as error:
            faults.setdefault(index, str(error))
        return item

    def _type(self, asked: TypeAsked, holder: dict[str, Any], name: str) -> None:
        value = holder[name]
        raw = value if type(value) is Raw else Raw(_encode(value))
        made = typed(raw, asked.kind, empty_is_null=asked.empty_is_null)
        if made is not raw:
            holder[name] = decoded(made) if self._values else made

    def _saw(self, path: Path, holder: dict[str, Any], name: str) -> None:
        self._unseen.pop(path, None)

    def _look(self, items: Sequence[Item]) -> None:
        there = [item for item in items if item is not None]
        self._seen_any = self._seen_any or bool(there)
        for path in tuple(self._unseen):
            if len(path) == 1:
                if any(path[0] in item for item in there):
                    del self._unseen[path]
                continue
            if ".".join(path) not in self._dotted and any(".".join(path) in item for item in there):
                self._dotted.add(".".join(path))
            for item in there:
                if path[0] in item:
                    self._edit(item, path, partial(self._saw, path))
                    if path not in self._unseen:
                        break

    # -- inside of records ---------------------------------------------------------------------------------------

    def _edit(
        self, item: dict[str, Any], path: Path, change: Callable[[dict[str, Any], str], object]
    ) -> None:
        """Change the object that holds the attribute at the end of a path; nothing where there is none."""
        if len(path) == 1:
            if path[0] in item:
                change(item, path[0])
            return
        inner = _object(item.get(path[0]))
        if inner is not None:
            self._edit(inner, path[1:], change)
            item[path[0]] = self._closed(inner)

    def _within(
        self, item: dict[str, Any], path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        """The record with the object at the end of a path replaced by what `change` makes of it."""
        if not path:
            return change(item)
        inner = _object(item.get(path[0]))
        if inner is not None:
            item[path[0]] = self._closed(self._within(inner, path[1:], change))
        return item

    def _with(self, item: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
        """The record with a value at a path, objects made on the way; ValueError where something else stands there."""
        if len(path) == 1:
            item[path[0]] = value
            return item
        inner: dict[str, Any] | None = {}
        if path[0] in item and (inner := _object(item[path[0]])) is None:
            raise ValueError(f"attribute `{path[0]}` is no object, so `add` can put nothing into it")
        assert inner is not None
        item[path[0]] = self._closed(self._with(inner, path[1:], value))
        return item

    def _taken(self, value: Any, path: Path) -> Any:
        """A value that an expression gave, in the form of this way."""
        if type(value) is Fault:
            raise ValueError(f"add.{written_path(path)}: {value.reason}")
        return value if self._values or type(value) is Raw else Raw(_encode(value))

    def _only(self, item: dict[str, Any], kept: _Kept) -> dict[str, Any]:
        left: dict[str, Any] = {}
        for name, value in item.items():
            if name not in kept:
                continue
            below = kept[name]
            if below is None:
                left[name] = value
            elif (inner := _object(value)) is not None:
                left[name] = self._closed(self._only(inner, below))
        return left

    def _closed(self, inner: dict[str, Any]) -> Any:
        return inner if self._values else Raw(_encode(inner))


def _resolved(expression: Expression, facts: RunFacts) -> bytes | Expression:
    resolved = expression.resolve(facts)
    return resolved if resolved.needs_record else _encode(resolved.text())


def _object(value: Any) -> dict[str, Any] | None:
    """A nested object, one level of it decoded; None where it is something else."""
    if type(value) is Raw:
        data = bytes(value)
        return members(data) if data.startswith(b"{") else None
    return value if isinstance(value, dict) else None


def _renamed(names: Mapping[str, str], holder: dict[str, Any]) -> dict[str, Any]:
    if names.keys().isdisjoint(holder):
        return holder
    made: dict[str, Any] = {}
    for name, value in holder.items():
        new = names.get(name, name)
        if new in made:
            raise ValueError(f"two attributes would be named `{new}` by `rename`: exclude one of them")
        made[new] = value
    return made


def _tree(paths: Sequence[Path]) -> _Kept:
    kept: _Kept = {}
    for path in paths:
        at = kept
        for name in path[:-1]:
            below = at.setdefault(name, {})
            if below is None:
                break
            at = below
        else:
            at[path[-1]] = None
    return kept


def _by_parent(renames: Sequence[tuple[Path, str]]) -> list[tuple[Path, dict[str, str]]]:
    """The renames of each object together, the innermost objects first: their paths are those of the record as read."""
    found: dict[Path, dict[str, str]] = {}
    for path, new in renames:
        found.setdefault(path[:-1], {})[path[-1]] = new
    return sorted(found.items(), key=lambda pair: -len(pair[0]))
