"""Records of a chain whose attributes stand where the answers of its stages will stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from haulier.model.block import Block
from haulier.model.json_value import members_or_none

__all__ = ["apart_from"]


def apart_from(names: Sequence[str], blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks of the first stage; a record with an attribute that has the name of a stage is refused.

    Refused before anything is sent: what a stage answers stands under that name.
    """
    quoted = [b'"%s"' % name.encode() for name in names]
    for block in blocks:
        suspects = [at for at, line in enumerate(block.lines) if any(word in line for word in quoted)]
        faults = {at: why for at in suspects if (why := _collision(block.lines[at], names))}
        if faults:
            block = msgspec.structs.replace(block, faults={**faults, **(block.faults or {})})  # noqa: PLW2901
        yield block


def _collision(line: bytes, names: Sequence[str]) -> str:
    record = members_or_none(line)
    if record is None:
        return ""  # the planner says what is wrong with it
    found = next((name for name in names if name in record), None)
    return (
        f"the attribute `{found}` has the name of a stage, whose answer stands under it; rename one of the two"
        if found is not None
        else ""
    )
