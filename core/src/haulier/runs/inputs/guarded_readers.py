"""Readers as inputs take them: one of a plugin is guarded, and handed what is packed unpacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from haulier.errors import RecordError
from haulier.io.readers import reader_types
from haulier.io.readers.unpacked import unpacking
from haulier.model.block import Block
from haulier.model.parts import Doors, Reader, ReaderType
from haulier.plugins.registry import Registry
from haulier.runs.resolving.guarding import Guard

__all__ = ["readers_of"]

_END = object()  # of the blocks; None is something that a plugin may yield
_MEND = (
    "No record is rejected for what a plugin does wrong: mend the plugin, or name another format with --format "
    "(format= in Python), and go on"
)


def readers_of(registry: Registry) -> list[ReaderType]:
    """All reader types there are; of each that core does not bring, what it opens is guarded."""
    ours = reader_types()
    return [
        one if one in ours else _guarded_type(one, registry.named(one)) for one in registry.readers.values()
    ]


def _guarded_type(reader: ReaderType, named: str) -> ReaderType:
    def opened(source: str, doors: Doors) -> Reader:
        guard = Guard(named, source, mend=_MEND)
        factory = guard.around(reader.factory, returns=_no_reader, about=lambda *_: "as it was opened")
        return _GuardedReader(factory(source, unpacking(doors, source, reader)), guard)

    return msgspec.structs.replace(reader, factory=opened)


def _no_reader(found: Any) -> str:
    if type(getattr(found, "repeatable", None)) is bool and callable(getattr(found, "blocks", None)):
        return ""
    return f"a {type(found).__name__}, which is no reader: it must have `blocks()`, and `repeatable` as True or False"


class _GuardedReader:
    """A reader of a plugin. guard: names it, and the input."""

    def __init__(self, reader: Reader, guard: Guard) -> None:
        self.repeatable = reader.repeatable
        self._blocks = reader.blocks
        self._guard = guard

    def blocks(self) -> Iterator[Block]:
        """The reader's blocks, each looked at; PluginError says behind which record it failed."""
        before: Block | None = None
        guard = self._guard

        def where(*_: Any) -> str:
            last = before.place(len(before.lines) - 1) if before is not None and before.lines else ""
            return f"behind {last}" if last else "before its first record"

        def begun() -> Iterator[Any]:
            return iter(self._blocks())

        following: Callable[[Iterator[Any], object], Any] = guard.around(next, about=where)
        try:
            blocks = guard.around(begun, about=where)()
            while (block := following(blocks, _END)) is not _END:
                if wrong := _wrong(block, before):
                    raise guard.fault(f"yielded {wrong}", where())
                yield block
                before = block
        except RecordError as error:
            raise guard.fault(
                f"raised RecordError: {error}; a reader names a record that cannot be taken in the `faults` of "
                "its block",
                where(),
            ) from error


def _wrong(block: Any, before: Block | None) -> str:
    """What is wrong with a block that a reader yielded; an empty text where nothing is."""
    if not isinstance(block, Block):
        return f"a {type(block).__name__}; it must yield blocks (`haulier.authoring.Block`)"
    if type(block.lines) is not list:
        return f"a block whose `lines` are a {type(block.lines).__name__}; they must be a list of bytes"
    others = (
        [line for line in block.lines if type(line) is not bytes]
        if {*map(type, block.lines)} - {bytes}
        else []
    )
    if others:
        return f"a block with a line of type {type(others[0]).__name__}; each must be bytes, a JSON text"
    first = 0 if before is None else before.first + len(before.lines)
    if type(block.first) is not int or block.first != first:
        return (
            f"a block whose `first` is {block.first!r} where {first} records came before; it must be {first}"
        )
    if block.first_line is not None and type(block.first_line) is not int:
        return f"a block whose `first_line` is {block.first_line!r}; it must be a number, or None"
    return _wrong_faults(block.faults, len(block.lines))


def _wrong_faults(faults: Any, count: int) -> str:
    if faults is None:
        return ""
    if not isinstance(faults, Mapping):
        return (
            f"a block whose `faults` are a {type(faults).__name__}; they must be a mapping of index to reason"
        )
    for index, why in faults.items():
        if type(index) is not int or not 0 <= index < count or not isinstance(why, str):
            return f"a block of {count} lines with the fault {index!r}: {why!r}; each is the index of a line, and why"
    return ""
