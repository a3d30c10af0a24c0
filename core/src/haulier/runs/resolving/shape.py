"""What a destination says of attributes, compiled: `types`, `include`, `exclude`, `rename` and `add`."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from haulier.errors import DestinationError
from haulier.model.column import path_text
from haulier.model.connector import ItemType
from haulier.model.destination import Batching, Destination
from haulier.model.expression import Expression, first_expression, parse
from haulier.model.paths import attribute_path, written_path
from haulier.model.written_number import as_written
from haulier.pipeline.items import ItemAsked
from haulier.pipeline.shaping import Shape, TypeAsked
from haulier.pipeline.types import Type

__all__ = ["check_item", "item_of", "sends_attribute", "shape_of"]


def shape_of(destination: Destination) -> Shape:
    """The shape of its records; DestinationError where a path is none, or two settings contradict each other."""
    types = tuple(
        TypeAsked(
            attribute_path(name, place="types"),
            typing.cast(Type, kind.removesuffix("?")),
            kind.endswith("?"),
        )
        for name, kind in destination.types.items()
    )
    # What is made JSON has attributes only then, so the outer ones come first, however they are written.
    types = tuple(sorted(types, key=lambda asked: len(asked.path)))
    exclude = tuple(attribute_path(name, place="exclude") for name in destination.exclude)
    include = tuple(attribute_path(name, place="include") for name in destination.include)
    rename = _renames(destination.rename)
    for path, _ in rename:
        if any(path[: len(out)] == out for out in exclude):
            raise DestinationError(
                f"rename: `{'.'.join(path)}` is excluded, so it has no name; leave out one of the two"
            )
    for path in include:
        if path in exclude:
            raise DestinationError(
                f"include: `{'.'.join(path)}` is excluded as well; leave out one of the two"
            )
    return Shape(types=types, include=include, exclude=exclude, rename=rename, add=_added(destination.add))


def sends_attribute(shape: Shape, name: str) -> bool:
    """Whether a top-level attribute of a record is sent whole, under whatever name."""
    if any(path[0] == name for path in shape.exclude):
        return False
    return not shape.include or (name,) in shape.include


def item_of(batching: Batching | None, kind: ItemType = "any") -> ItemAsked | None:
    """What each record becomes inside of its batch; None where it stays whole. Raises as `shape_of`.

    kind: of the attributes it asks for.
    """
    if batching is None or not batching.item:
        return None
    alone = isinstance(batching.item, str)
    names = [batching.item] if isinstance(batching.item, str) else batching.item
    paths = [attribute_path(name, place="batching.item") for name in names]
    for at, path in enumerate(paths):
        for other in (*paths[:at], *paths[at + 1 :]):
            if path[: len(other)] == other:
                raise DestinationError(
                    f"batching.item: `{written_path(path)}` stands in `{written_path(other)}`, which is there as well; "
                    "leave out one of the two"
                )
    return ItemAsked(tuple(paths), alone, kind)


def check_item(item: ItemAsked, shape: Shape) -> None:
    """DestinationError where what an item asks for is left out of every record, so that each would be rejected."""
    made_anew = [path for path, _ in shape.add] + [(*path[:-1], new) for path, new in shape.rename]
    for asked in item.paths:
        if any(_on_one_way(asked, made) for made in made_anew):
            continue
        if out := next((out for out in shape.exclude if asked[: len(out)] == out), None):
            raise DestinationError(
                f"batching.item: `{written_path(asked)}` is not sent, as `exclude` names `{written_path(out)}`; leave "
                "out one of the two"
            )
        if shape.include and not any(_on_one_way(asked, kept) for kept in shape.include):
            raise DestinationError(
                f"batching.item: `{written_path(asked)}` is not sent, as `include` does not name it; name it there, or "
                "leave `include` out"
            )


def _on_one_way(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one of two paths leads to the other, or both are the same."""
    return all(mine == theirs for mine, theirs in zip(one, other, strict=False))


def _renames(written: Mapping[str, str]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """The path of each attribute with its new name, which has a dot only where that is written in brackets."""
    found: list[tuple[tuple[str, ...], str]] = []
    for name, new in written.items():
        path = attribute_path(name, place="rename")
        if not new:
            raise DestinationError(f"rename: the new name of {name!r} is empty; write a name, or exclude it")
        named = attribute_path(new, place=f"rename.{name}")
        if len(named) > 1:
            raise DestinationError(
                f"rename.{name}: {new!r} is a path, but an attribute gets a name and stays where it is; write "
                f'`{named[-1]}`, `["{new}"]` for a name with a dot in it, or move it: '
                f"`exclude: [{name}]` with `add: {{{new}: '{{record{path_text(path)}}}'}}`"
            )
        found.append((path, named[0]))
    return tuple(found)


def _added(written: Mapping[str, Any]) -> tuple[tuple[tuple[str, ...], bytes | Expression], ...]:
    """Constants as JSON; a text with expressions in it as what it is."""
    found: list[tuple[tuple[str, ...], bytes | Expression]] = []
    for name, value in written.items():
        source: bytes | Expression = msgspec.json.encode(as_written(value))
        if isinstance(value, str):
            expression = parse(value, place=f"add.{name}")
            source = msgspec.json.encode(expression.text()) if expression.is_constant else expression
        elif inner := first_expression(value):
            raise DestinationError(
                f"add.{name}: {inner!r} stands inside a list or an object, where nothing is filled in; write a nested "
                "attribute as a path: `add: {a.b: '{record.c}'}`"
            )
        found.append((attribute_path(name, place="add"), source))
    return tuple(found)
