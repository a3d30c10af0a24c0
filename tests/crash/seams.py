"""The moments of a sitting, seen from outside: the seams of the product are wrapped, and it knows nothing of it.

`install` wraps them once in a process. From then on `moment` is called with the name of each moment as it comes, and
notes where the sitting is; `die_at` makes the process kill itself at one of them.
"""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from haulier.errors import TransportError
from haulier.io.fetching import Fetcher
from haulier.io.ledger import compacting, store
from haulier.io.ledger.rows import Commit
from haulier.io.ledger.store import Ledger
from haulier.io.outputs.jsonl import JsonlOutput
from haulier.io.transports.http1 import Http1
from haulier.io.transports.httpx_lanes import HttpxLanes
from haulier.io.transports.protocol import Exchange
from haulier.model.request import Added, Request, Response
from haulier.runs.inputs.fetching import FetchedFiles
from haulier.runs.inputs.spooling import Spool
from haulier.runs.stages.source import PlanSource

PHASES = (
    "starting",
    "opening",
    "compacting",
    "verifying",
    "sending",
    "committing",
    "writing output",
    "ending",
)
STAGE, COMMITTING, WRITING = range(3)  # bytes of the note

_note: Any = bytearray(3)
_death: tuple[str, int] = ("", 0)


def note_in(path: Path) -> None:
    """Keep the note in a file that outlives the process."""
    global _note  # noqa: PLW0603 - one sitting a process
    with path.open("r+b") as file:
        _note = mmap.mmap(file.fileno(), 3)


def phase_of(note: Sequence[int]) -> str:
    """Which of PHASES a note tells of."""
    if PHASES[note[STAGE]] == "sending":
        return "committing" if note[COMMITTING] else "writing output" if note[WRITING] else "sending"
    return PHASES[note[STAGE]]


def die_at(name: str, times: int) -> None:
    """Kill this process when that moment comes for the so-many-th time."""
    global _death  # noqa: PLW0603 - one sitting a process
    _death = name, times


def moment(name: str) -> None:
    """This moment is now."""
    global _death  # noqa: PLW0603 - one sitting a process
    if name == _death[0]:
        _death = name, _death[1] - 1
        if not _death[1]:
            os.kill(os.getpid(), signal.SIGKILL)


def _stage(name: str) -> None:
    _note[STAGE] = PHASES.index(name)


@contextmanager
def _flag(at: int) -> Iterator[None]:
    _note[at] = 1
    try:
        yield
    finally:
        _note[at] = 0


def kinds_of(commits: Sequence[Commit]) -> list[str]:
    """What some commits hold, by the words of the points."""
    found = {
        "intents": any(commit.intents for commit in commits),
        "outcomes": any(commit.outcomes or commit.delivered_at_once for commit in commits),
        "split": any(commit.split for commit in commits),
        "parts": any(row[-1] is not None for commit in commits for row in commit.intents),
        "owed": any(commit.owed for commit in commits),
        "paid": any(commit.paid for commit in commits),
        "chunks": any(commit.chunks for commit in commits),
        "jobs": any(commit.jobs for commit in commits),
    }
    return [kind for kind, there in found.items() if there]


def _around(owner: Any, name: str, words: str, *, stage: str = "", then: str = "") -> None:
    """Moments `before WORDS` and `after WORDS` around a method."""
    real = getattr(owner, name)

    def wrapped(self: Any, *values: Any, **named: Any) -> Any:
        if stage:
            _stage(stage)
        moment(f"before {words}")
        found = real(self, *values, **named)
        moment(f"after {words}")
        if then:
            _stage(then)
        return found

    setattr(owner, name, wrapped)


def _around_async(owner: Any, name: str, words: str, *, stage: str = "", then: str = "") -> None:
    real = getattr(owner, name)

    async def wrapped(self: Any, *values: Any, **named: Any) -> Any:
        if stage:
            _stage(stage)
        moment(f"before {words}")
        found = await real(self, *values, **named)
        moment(f"after {words}")
        if then:
            _stage(then)
        return found

    setattr(owner, name, wrapped)


def install() -> None:
    """Wrap the seams of this process."""
    _wrap_ledger()
    _around(Spool, "sync", "spool sync")
    _around(Spool, "end", "spool end")
    _around_async(Fetcher, "_fetched", "fetching")
    _around(FetchedFiles, "durable", "letting go of files")
    for transport in (Http1, HttpxLanes):
        _around_async(transport, "send", "exchange")
    _around_begun()
    _around_async(PlanSource, "verify", "verifying", stage="verifying", then="sending")
    _halve(JsonlOutput, "_append", "output line")
    _halve(Spool, "add", "spooling")
    _around(JsonlOutput, "write", "output write")
    real_write = JsonlOutput.write

    def write(self: JsonlOutput, lines: Sequence[bytes]) -> None:
        with _flag(WRITING):
            real_write(self, lines)

    JsonlOutput.write = write  # type: ignore[method-assign]


def _around_begun() -> None:
    """The moments of an exchange that nobody awaits."""
    real = Http1.begin

    def begin(
        self: Http1, request: Request, added: Added, answered: Callable[[Response | TransportError], None]
    ) -> Exchange | None:
        if not self._idle:
            return None  # it will be sent

        def told(reply: Response | TransportError) -> None:
            if isinstance(reply, Response):
                moment("after exchange")
            answered(reply)

        moment("before exchange")
        return real(self, request, added, told)

    Http1.begin = begin  # type: ignore[method-assign]


def _wrap_ledger() -> None:
    real_commit, real_create, real_transaction = (
        Ledger.commit_all,
        Ledger.create.__func__,
        compacting.transaction,
    )  # type: ignore[attr-defined]

    def commit(self: Ledger, commits: Mapping[int, Sequence[Commit]]) -> None:
        kinds = kinds_of([commit for of_run in commits.values() for commit in of_run])
        with _flag(COMMITTING):
            for kind in kinds:
                moment(f"before commit of {kind}")
            real_commit(self, commits)
            for kind in kinds:
                moment(f"after commit of {kind}")

    def create(cls: type[Ledger], state_dir: Path) -> Ledger:
        _stage("opening")
        ledger: Ledger = real_create(cls, state_dir)
        moment("after opening")
        return ledger

    @contextmanager
    def transaction(db: Any) -> Iterator[None]:
        with real_transaction(db):
            yield
            moment("within compacting")
        moment("between compacting")

    Ledger.commit_all = commit  # type: ignore[method-assign]
    Ledger.create = classmethod(create)  # type: ignore[assignment,arg-type]
    compacting.transaction = transaction
    assert store.compact_run is compacting.compact_run
    _around(Ledger, "compact", "compacting", stage="compacting", then="verifying")
    _around(Ledger, "start", "beginning")
    _around(Ledger, "start_replay", "beginning")
    _around(Ledger, "reopen", "reopening")
    _around(Ledger, "end", "ending", stage="ending")


def _halve(owner: Any, name: str, words: str) -> None:
    """A moment `within WORDS`, when the first half of some bytes is written."""
    real: Callable[[Any, bytes], None] = getattr(owner, name)

    def halved(self: Any, data: bytes) -> None:
        if _death[0] == f"within {words}":
            real(self, data[: len(data) // 2])
            moment(f"within {words}")
            data = data[len(data) // 2 :]
        real(self, data)

    setattr(owner, name, halved)
