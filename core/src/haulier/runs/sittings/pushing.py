"""Push mode: a program writes records as it has them, and the run sends them along the way."""

from __future__ import annotations

import os
import queue
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from haulier.errors import ConfigurationError, LedgerError, RunStopped
from haulier.io.ledger.store import LedgerView
from haulier.io.readers import open_records
from haulier.io.readers.input_hash import InputHash
from haulier.model.block import Block, Chunk, part_of
from haulier.runs.credentials.authority import CredentialLike
from haulier.runs.driving.delivered import Delivered
from haulier.runs.driving.loop import LoopThread
from haulier.runs.inputs.intake import in_pieces
from haulier.runs.inputs.positions import PositionSet
from haulier.runs.reports.report import Report
from haulier.runs.resolving.arguments import check_arguments, check_more
from haulier.runs.resolving.site import DestinationLike, site_of
from haulier.runs.sittings.sending import prepare

__all__ = ["PushIntake", "Run", "open_run"]

_MORE = ("again", "params", "base_url", "follow", "leave_in_doubt")
_MOST_WAITING = 64  # blocks written and not yet taken: then `write` waits


class PushIntake:
    """The input of a run that is written to. Cannot be read again, so the ledger keeps whole requests."""

    name = "records written by a program"
    repeatable = False
    at_hand = False

    def __init__(self) -> None:
        self.written: queue.Queue[Block | None] = queue.Queue(_MOST_WAITING)
        self.position = 0
        self.chunks: dict[str, Chunk] = {}
        self.known = PositionSet([])
        self.begun = threading.Event()

    def fingerprint(self) -> str:
        """There is none: the records are not known before."""
        return ""

    def whole_digest(self, hashed_by: InputHash) -> tuple[int, bytes | None]:
        """There is none."""
        return 0, None

    def begin(self, position: int, chunks: dict[str, Chunk], known: PositionSet) -> None:
        """The run is open: where its next record stands, and what an earlier sitting has."""
        self.position, self.chunks, self.known = position, chunks, known
        self.begun.set()

    def blocks(self, hashed_by: InputHash, *, cut: int = 0, most: int = 0) -> Iterator[Block]:
        """What is written, until the end is; without digests."""
        while (block := self.written.get()) is not None:
            yield from in_pieces([block], most)


class Run:
    """An open run. Use it as a context manager: leaving it carries everything to its end.

    report: of the run, once it was left. Safe to use from one thread at a time.
    """

    def __init__(self, thread: LoopThread[Report], intake: PushIntake, stop: Callable[[str], None]) -> None:
        self._thread = thread
        self._intake = intake
        self._stop = stop
        self._closed = False
        self._process = os.getpid()
        self._written: set[str] = set()
        self.report: Report | None = None

    def write(self, records: Iterable[Mapping[str, Any]] | Iterable[bytes], *, id: str | None = None) -> None:
        """Hand over some records; waits only while too many are under way. Raises RunStopped where the run has ended.

        id: a name of the caller's for this chunk. Written again under it, after a crash for example, what an earlier
        sitting of this run has is not sent again; ConfigurationError where other records are written under it. A run
        that finished before takes only what it has, under its names.
        """
        check_arguments(id=id)
        if isinstance(records, str | os.PathLike):
            raise ConfigurationError(
                f"records: `write` takes records, and {os.fspath(records)[:80]!r} is a text; "
                "give a path to `send`, or write what was read from the file"
            )
        blocks = list(open_records(records).blocks())
        count = sum(len(block.lines) for block in blocks)
        if not count:
            return
        intake = self._intake
        content = sha256(b"".join(line + b"\n" for block in blocks for line in block.lines)).digest()
        if id is not None and id in intake.chunks:
            self._write_again(id, blocks, content)
            return
        self._check_open()  # what is refused must not be known by its name afterwards
        first = intake.position
        intake.position += count
        if id is not None:
            self._written.add(id)
            intake.chunks[id] = Chunk(first, count, content)
            blocks = [msgspec.structs.replace(_joined(blocks), chunk=id, content=content)]
        for block in blocks:
            self._put(msgspec.structs.replace(block, first=block.first + first))

    def flush(self) -> None:
        """Return when everything written so far was tried and what came of it is durable."""
        if self._repeated:
            return
        settled = threading.Event()
        self._put(Block(first=self._intake.position, lines=[], settled=settled.set))
        while not settled.wait(0.1):
            self._check_open()

    def close(self) -> Report:
        """Carry everything to its end and return the report."""
        if not self._closed:
            self._closed = True
            with suppress(RunStopped):
                self._put(None)
            self.report = self._thread.result()
        assert self.report is not None
        return self.report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if error is not None:
            self._stop("the program that wrote to it ended early")
        self.close()

    def _write_again(self, id: str, blocks: list[Block], content: bytes) -> None:
        first, before, known = self._intake.chunks[id]
        count = sum(len(block.lines) for block in blocks)
        if count != before or known not in (None, content):
            now = f"now with {count}" if count != before else "now with others"
            raise ConfigurationError(
                f"chunk {id!r} was written before with {before} records, {now}; nothing of it was taken: "
                "give other records a name of their own"
            )
        if id in self._written:
            return
        self._written.add(id)
        for block in blocks:
            shifted = msgspec.structs.replace(block, first=block.first + first)
            for gap in self._intake.known.missing(shifted.first, shifted.first + len(shifted.lines)):
                self._put(part_of(shifted, gap.start, gap.stop))

    def _put(self, block: Block | None) -> None:
        while True:
            self._check_open()
            try:
                self._intake.written.put(block, timeout=0.1)
                return
            except queue.Full:
                continue

    @property
    def _repeated(self) -> bool:
        """Whether the run finished in an earlier sitting."""
        return self._thread.ended and self._thread.result().repeated

    def _check_open(self) -> None:
        if os.getpid() != self._process:
            raise LedgerError("this run belongs to the process that opened it; open another one after a fork")
        if self._thread.ended:
            report = self._thread.result()
            if report.repeated:
                raise RunStopped(
                    f"run {report.run_id} under the key {report.run_key!r} finished before; nothing more is taken "
                    "under it: open the next one under another run_key"
                )
            raise RunStopped(
                f"run {report.run_id} has ended ({report.reason or report.state}); open it again to go on"
            )


def _joined(blocks: list[Block]) -> Block:
    """The blocks of one chunk as one, so that it is taken in whole."""
    faults = {
        block.first + index: reason for block in blocks for index, reason in (block.faults or {}).items()
    }
    lines = [line for block in blocks for line in block.lines]
    return Block(first=0, lines=lines, plain=all(block.plain for block in blocks), faults=faults or None)


def _acknowledge(intake: PushIntake, report: Report, folder: Path) -> None:
    """Let an intake know what the ledger has of a finished run; RunStopped where it ended before it took anything."""
    if not report.repeated:
        raise RunStopped(
            f"run {report.run_id} has ended ({report.reason or report.state}); open it again to go on"
        )
    with closing(LedgerView.open(folder)) as view:
        run = view.run(report.run_id)
        chunks = view.chunks(run) if run is not None else {}
    intake.begin(report.read, chunks, PositionSet([range(report.read)]))


def open_run(
    destination: DestinationLike,
    *,
    run_key: str | None = None,
    credential: CredentialLike = None,
    state: str | os.PathLike[str] | None = None,
    on_delivery: Callable[[Delivered], None] | None = None,
    **more: Any,
) -> Run:
    """Open a run to write to. Arguments as `send` has them, but for the records and what says how they are read.

    run_key: opening a stopped or crashed run under its key goes on with it. A finished one sends nothing more: chunks
    that it has are acknowledged, others raise RunStopped, and its report says `repeated`.
    """
    check_more(more, _MORE)
    check_arguments(run_key=run_key)
    intake = PushIntake()
    sitting = prepare(
        destination,
        intake,
        run_key=uuid.uuid4().hex if run_key is None else run_key,
        credential=credential,
        state=state,
        on_delivery=on_delivery,
        **more,
    )
    thread = LoopThread(sitting.run)
    while not intake.begun.wait(0.05):
        if thread.ended and not intake.begun.is_set():
            _acknowledge(intake, thread.result(), site_of(destination, state=state).state_dir())
    return Run(thread, intake, sitting.stop)
