"""Readers as inputs take them: whatever one of a plugin does that no reader may becomes a PluginError that names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from haulier.errors import HaulierError, PluginError, RecordError
from haulier.io.readers import reader_types
from haulier.model.block import Block
from haulier.model.parts import Doors, Reader, ReaderType
from haulier.plugins.registry import Registry

__all__ = ["readers_of"]

_MEND = (
    "No record is rejected for what a plugin does wrong: mend the plugin, or name another format with --format "
    "(format= in Python), and go on"
)


def readers_of(registry: Registry) -> list[ReaderType]:
    """All reader types there are; of each that core does not bring, what it opens is guarded."""
    ours = reader_types()
    return [
        one if one in ours else _guarded_type(one, registry.bringer(one)) for one in registry.readers.values()
    ]


def _guarded_type(reader: ReaderType, bringer: str) -> ReaderType:
    named = f"reader {reader.name}" + (f" ({bringer})" if bringer else "")

    def opened(source: str, doors: Doors) -> Reader:
        what = f"{source}: {named}"
        try:
            return _GuardedReader(reader.factory(source, doors), what)
        except HaulierError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{what} raised {type(error).__name__}: {error} as it was opened. {_MEND}"
            ) from error

    return msgspec.structs.replace(reader, factory=opened)


class _GuardedReader:
    """A reader of a plugin. what: the input and the reader, as messages name them."""

    def __init__(self, reader: Any, what: str) -> None:
        repeatable = getattr(reader, "repeatable", None)
        if type(repeatable) is not bool or not callable(getattr(reader, "blocks", None)):
            raise PluginError(
                f"{what} opened a {type(reader).__name__}, which is no reader: it must have `blocks()`, and "
                f"`repeatable` as True or False. {_MEND}"
            )
        self.repeatable = repeatable
        self._blocks = reader.blocks
        self._what = what

    def blocks(self) -> Iterator[Block]:
        """The reader's blocks, each looked at; PluginError says behind which record it failed."""
        before: Block | None = None
        iterator: Iterator[Any] | None = None
        while True:
            try:
                iterator = iter(self._blocks()) if iterator is None else iterator
                block = next(iterator, None)
            except RecordError as error:
                raise self._failed(
                    f"raised RecordError: {error}; a reader names a record that cannot be taken in the `faults` of "
                    "its block",
                    before,
                ) from error
            except HaulierError:
                raise
            except (Exception, SystemExit) as error:
                raise self._failed(f"raised {type(error).__name__}: {error}", before) from error
            if block is None:
                return
            if wrong := _wrong(block, before):
                raise self._failed(f"yielded {wrong}", before)
            yield block
            before = block

    def _failed(self, said: str, before: Block | None) -> PluginError:
        """before: the last block that was as it must be."""
        last = before.place(len(before.lines) - 1) if before is not None and before.lines else ""
        where = f"behind {last}" if last else "before its first record"
        return PluginError(f"{self._what} {said} ({where}). {_MEND}")


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
