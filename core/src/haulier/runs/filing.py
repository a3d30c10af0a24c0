"""Files named by records, found and hashed at the edge before the planner sees their block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from haulier.errors import RecordError
from haulier.io.files import FileRoom
from haulier.model.block import Block
from haulier.model.expression import Fault, RunFacts, render_block
from haulier.pipeline.attributes import decode
from haulier.runs.resolved import Resolved

__all__ = ["with_files"]


def with_files(blocks: Iterable[Block], resolved: Resolved, facts: RunFacts, root: Path) -> Iterable[Block]:
    """The blocks with the files their records name, where the destination has file parameters; else as they are."""
    if not resolved.files:
        return blocks
    destination = resolved.destination
    assert destination.files_root is not None
    room = FileRoom((root / destination.files_root).resolve(), destination.max_file_bytes)
    columns = [(file, file.path.resolve(facts)) for file in resolved.files]

    def find(block: Block) -> Block:
        items, faults = decode(block, "shallow")
        records = [item if item is not None else {} for item in items]
        found: list[dict[str, object]] = [{} for _ in items]
        for file, expression in columns:
            for index, path in enumerate(render_block(expression, records)):
                if index in faults:
                    continue
                if isinstance(path, Fault):
                    if file.required or not path.absent:
                        found[index][file.name] = f"parameter {file.name}: {path.reason}"
                    continue
                try:
                    found[index][file.name] = room.part(path)
                except RecordError as error:
                    found[index][file.name] = f"parameter {file.name}: {error}"
        return msgspec.structs.replace(block, files=found)

    return _mapped(find, blocks)


def _mapped(find: Callable[[Block], Block], blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        yield find(block)
