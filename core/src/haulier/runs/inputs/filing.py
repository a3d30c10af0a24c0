"""Files named by records, found and hashed at the edge before the planner sees their block; those of URLs fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from haulier.errors import InputError, RecordError, TransportError
from haulier.io.fetched import Fetched, Wanted, unfetched_part, why_unread
from haulier.io.files import FileRoom
from haulier.model.block import Block
from haulier.model.expression import Fault, RunFacts, render_block
from haulier.model.fetch import is_url
from haulier.model.request import FilePart
from haulier.pipeline.attributes import decode
from haulier.runs.inputs.positions import PositionSet
from haulier.runs.resolving.resolved import Resolved

__all__ = ["Fetching", "FilesOutOfReach", "Filing", "Unfetched", "with_files"]

_LEAST_IN_A_ROW = 5  # as of deliveries that spent their attempts
_MOST_HELD = 64  # blocks


class FilesOutOfReach(InputError):
    """The input ends before records whose files cannot be reached; nothing in it is to be mended."""


class Fetching(Protocol):
    """Who fetches files that are named by URL."""

    def fetch(self, wanted: list[Wanted]) -> list[Fetched]:
        """What came of each, in order."""
        ...


class Unfetched:
    """Fetches nothing: a part without a path stands for each file, in previews."""

    def fetch(self, wanted: list[Wanted]) -> list[Fetched]:
        """A part without a path for each, or why its URL cannot be fetched."""
        return [_unfetched(one.url) for one in wanted]


class _Named(NamedTuple):
    """A file of a record by URL: the record's place in its block, the parameter's among the files."""

    record: int
    file: int
    url: str


class Filing:
    """Finds the files of blocks, in order.

    fetching: fetches those named by URL. known: positions that an earlier sitting took in, for which it need not: what
    is left of them is in the ledger whole. A file that cannot be reached rejects its record, unless several in a row
    are so: then nobody knows whether it is them or the network, and FilesOutOfReach ends the input before the first of
    them.
    """

    def __init__(
        self,
        resolved: Resolved,
        facts: RunFacts,
        root: Path,
        fetching: Fetching,
        known: PositionSet | None = None,
    ) -> None:
        destination = resolved.destination
        self._room: FileRoom | None = None
        if resolved.files and destination.files_root is not None:
            self._room = FileRoom((root / destination.files_root).resolve(), destination.max_file_bytes)
        self._columns = [(file, file.path.resolve(facts)) for file in resolved.files]
        rules = resolved.fetch
        self._fetching = fetching if rules is not None else None
        self._stops = rules is not None and rules.unreachable == "stop"
        self._known = known or PositionSet([])
        self._held: list[Block] = []
        self._failed, self._reached, self._last = 0, False, ""

    def take(self, block: Block) -> list[Block]:
        """The blocks whose files are known now, this one the last of them; none while one before is held."""
        if not self._columns:
            return [block]
        if not block.lines:
            return [*self.rest(), block]
        found, wanted = self._looked_for(block)
        fetched = self._fetching.fetch(self._asked(block, wanted)) if wanted and self._fetching else []
        for named, what in zip(wanted, fetched, strict=True):
            name = self._columns[named.file][0].name
            found[named.record][name] = what if isinstance(what, FilePart) else f"parameter {name}: {what}"
        self._held.append(msgspec.structs.replace(block, files=found))
        self._tell(fetched)
        if self._stops and self._failed and len(self._held) <= _MOST_HELD:
            return []
        return self._released()

    def rest(self) -> list[Block]:
        """Those that are held still; nothing will show whether their files can be reached after all."""
        if self._held and self._stops and self._failed and not self._reached:
            raise self._stop()
        return self._released()

    def _looked_for(self, block: Block) -> tuple[list[dict[str, FilePart | str]], list[_Named]]:
        """(of each record: parameter -> its file, or why there is none; the files to be fetched)."""
        items, faults = decode(block, "shallow")
        records = [item if item is not None else {} for item in items]
        found: list[dict[str, FilePart | str]] = [{} for _ in items]
        wanted: list[_Named] = []
        for number, (file, expression) in enumerate(self._columns):
            for index, path in enumerate(render_block(expression, records)):
                if index in faults:
                    continue
                if isinstance(path, Fault):
                    if file.required or not path.absent:
                        found[index][file.name] = f"parameter {file.name}: {path.reason}"
                elif is_url(path) and self._fetching is not None:
                    if block.first + index not in self._known:
                        wanted.append(_Named(index, number, path))
                else:
                    found[index][file.name] = self._local(file.name, path)
        return found, wanted

    def _local(self, name: str, path: str) -> FilePart | str:
        """The file below `files_root`, or why there is none."""
        if is_url(path):
            return (
                f"parameter {name}: is a URL, which is fetched only where the destination says `fetch: true`"
            )
        if self._room is None:
            return f"parameter {name}: {why_unread(path)}"
        try:
            return self._room.part(path)
        except RecordError as error:
            return f"parameter {name}: {error}"

    def _asked(self, block: Block, wanted: list[_Named]) -> list[Wanted]:
        """What is to be fetched, each under a name that its record gives it."""
        return [Wanted(one.url, f"{block.first + one.record}.{one.file}") for one in wanted]

    def _tell(self, fetched: list[Fetched]) -> None:
        missed = [what for what in fetched if isinstance(what, TransportError)]
        if any(isinstance(what, FilePart) for what in fetched):
            self._failed, self._reached = 0, True
        elif missed:
            self._failed += len(missed)
            self._last = str(missed[-1])
            if self._stops and self._failed >= _LEAST_IN_A_ROW:
                raise self._stop()

    def _released(self) -> list[Block]:
        released, self._held = self._held, []
        self._failed = 0
        return released

    def _stop(self) -> FilesOutOfReach:
        return FilesOutOfReach(
            f"files cannot be reached, {self._failed} in a row (the last: {self._last}); their records were not taken "
            "in. Run again when the files can be reached, or write `fetch: {unreachable: reject}` to have their "
            "records rejected"
        )


def with_files(blocks: Iterable[Block], filing: Filing) -> Iterator[Block]:
    """The blocks with the files their records name."""
    for block in blocks:
        yield from filing.take(block)
    yield from filing.rest()


def _unfetched(url: str) -> Fetched:
    try:
        return unfetched_part(url)
    except RecordError as error:
        return error
