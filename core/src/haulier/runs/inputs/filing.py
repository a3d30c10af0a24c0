"""Files named by records, found and hashed at the edge before the planner sees their block; those of URLs fetched."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

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

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Fetching", "FilesOutOfReach", "Filing", "Unfetched", "with_files"]

_LEAST_IN_A_ROW = 5  # as of deliveries that spent their attempts
_MOST_HELD = 64  # blocks


class FilesOutOfReach(InputError):
    """The input ends before records whose files cannot be reached; nothing in it is to be mended."""


class Fetching(Protocol):
    """Who fetches files that are named by URL."""

    def begin(self, wanted: Sequence[Wanted]) -> Future[list[Fetched]]:
        """What will have come of each, in order."""
        ...

    def close(self) -> None:
        """Fetch nothing more."""
        ...


class Unfetched:
    """Fetches nothing: a part without a path stands for each file, in previews."""

    def begin(self, wanted: Sequence[Wanted]) -> Future[list[Fetched]]:
        """A part without a path for each, or why its URL cannot be fetched."""
        from concurrent.futures import Future  # noqa: PLC0415 - logging comes along, in every start that fetches nothing

        told: Future[list[Fetched]] = Future()
        told.set_result([_unfetched(one.url) for one in wanted])
        return told

    def close(self) -> None:
        """There is nothing to close."""


class _Named(NamedTuple):
    """A file of a record by URL: the record's place in its block, the parameter's among the files."""

    record: int
    file: int
    url: str


class _Begun(NamedTuple):
    """A block whose files are being fetched. fetched: None where nothing is."""

    block: Block
    found: list[dict[str, FilePart | str]]
    wanted: list[_Named]
    fetched: Future[list[Fetched]] | None

    @property
    def is_there(self) -> bool:
        """Whether nothing of it is waited for."""
        return self.fetched is None or self.fetched.done()


class Filing:
    """Finds the files of blocks, in order.

    fetching: fetches those named by URL. ahead: of how many blocks at most, while a file of one before them is waited
    for and more are at hand. known: positions that an earlier sitting took in, for which it need not: what is left of
    them is in the ledger whole. A file that cannot be reached rejects its record, unless several in a row are so: then
    nobody knows whether it is them or the network, and FilesOutOfReach ends the input before the first of them.
    """

    def __init__(
        self,
        resolved: Resolved,
        facts: RunFacts,
        root: Path,
        fetching: Fetching,
        known: PositionSet | None = None,
        *,
        ahead: int = 0,
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
        self._under_way: deque[_Begun] = deque()
        self._ahead = ahead
        self._held: list[Block] = []
        self._failed, self._reached, self._last = 0, False, ""

    @property
    def waiting(self) -> Future[list[Fetched]] | None:
        """What is waited for: the files of the oldest block that is under way; None where none is."""
        return self._under_way[0].fetched if self._under_way else None

    @property
    def free(self) -> int:
        """How many more blocks can be taken without waiting."""
        return self._ahead - len(self._under_way)

    @property
    def oldest(self) -> int | None:
        """Position of the first record that was taken and did not go on; None where all did."""
        if self._held:
            return self._held[0].first
        return self._under_way[0].block.first if self._under_way else None

    def take(self, block: Block) -> Iterator[Block]:
        """The blocks whose files are known by then, this one the last of them; none while one before is held.

        Waits for this one's files where nothing more is at hand, and where so many are fetched ahead already.
        """
        if not self._columns:
            yield block
            return
        if not block.lines:
            yield from self.rest()
            yield block
            return
        found, wanted = self._looked_for(block)
        fetched = self._fetching.begin(self._asked(block, wanted)) if wanted and self._fetching else None
        self._under_way.append(_Begun(block, found, wanted, fetched))
        while self._under_way and (not block.more or self.free < 0 or self._under_way[0].is_there):
            yield from self._ended()

    def ready(self) -> Iterator[Block]:
        """Those whose files are there by now."""
        while self._under_way and self._under_way[0].is_there:
            yield from self._ended()

    def rest(self) -> Iterator[Block]:
        """All that are under way or held; nothing will show whether files can be reached after all."""
        while self._under_way:
            yield from self._ended()
        if self._held and self._stops and self._failed and not self._reached:
            raise self._stop()
        yield from self._released()

    def _ended(self) -> list[Block]:
        """What goes on once the files of the oldest block are known."""
        begun = self._under_way[0]
        fetched = begun.fetched.result() if begun.fetched is not None else []
        self._under_way.popleft()
        for named, what in zip(begun.wanted, fetched, strict=True):
            name = self._columns[named.file][0].name
            begun.found[named.record][name] = (
                what if isinstance(what, FilePart) else f"parameter {name}: {what}"
            )
        self._held.append(msgspec.structs.replace(begun.block, files=begun.found))
        self._tell(fetched)
        if self._stops and self._failed and len(self._held) <= _MOST_HELD:
            return []
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
