"""Replaying: dead letters are carried once more, mended or as they were, by a run of its own that knows its parents.

A replay is written to the ledger whole before it begins: which record of which run it carries, and its text. So it is
resumed like any run, and what one replay took is left out by the next.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.ledger.rows import ReplayRow, RunRow
from haulier.io.ledger.store import Ledger, LedgerView
from haulier.io.readers.digest import DigestedReader
from haulier.io.readers.input_hash import InputHash
from haulier.io.readers.source import STDIN
from haulier.model.block import Block, Chunk
from haulier.model.delivery import State
from haulier.runs.credentials.authority import CredentialLike
from haulier.runs.driving.delivered import Delivered
from haulier.runs.driving.loop import carried
from haulier.runs.inputs.intake import Intake, Shaped
from haulier.runs.inputs.positions import PositionSet
from haulier.runs.replays.mending import read_mended
from haulier.runs.replays.replay_stages import begun_at
from haulier.runs.reports.report import Report
from haulier.runs.resolving.arguments import check_arguments, check_more
from haulier.runs.resolving.site import DestinationLike, site_of
from haulier.runs.sittings.sending import prepare
from haulier.runs.sittings.sitting import Sitting

__all__ = ["Choice", "Only", "ReplayIntake", "prepare_replay", "replay"]

Only: TypeAlias = Literal["rejected", "in_doubt", "all"]
_BLOCK_RECORDS = 256
_AGAIN = "--again, again=True in Python"
_MORE = ("params", "base_url", "follow", "leave_in_doubt")


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters a replay takes.

    run: id of one run, or the beginning of it; None: of all runs of the destination. records: a file of mended ones,
    as `dead-letters export --json` writes them; those alone are taken. reason: a part of it, in any case. only: by
    state; what is in doubt may have arrived, so it is taken only where that is asked for. again: replayed ones too.
    """

    run: str | None = None
    records: str | os.PathLike[str] | None = None
    reason: str = ""
    only: Only = "rejected"
    again: bool = False

    def __post_init__(self) -> None:
        check_arguments(run="" if self.run is None else self.run, records=self.records)
        check_arguments(reason=self.reason, again=self.again)
        if self.only not in get_args(Only):
            raise ConfigurationError(
                f"only: {self.only!r} is no choice of dead letters; take one of {', '.join(get_args(Only))}"
            )

    @property
    def narrows(self) -> bool:
        """Whether it asks for anything but all that is left."""
        return self != Choice(run=self.run)

    def told(self) -> str:
        """What finds a replay again that was begun so; empty for standard input, which could not be compared."""
        if self.records is None:
            of = "all"
        elif os.fspath(self.records) == STDIN:
            return ""
        else:
            # Told as text and held against text: by the hash that is always there.
            count, digest = Intake(self.records, format="jsonl").whole_digest(InputHash.SHA_256)
            of = f"{count} mended {digest.hex() if digest is not None else ''}"
        return f"only {self.only}, again {self.again}, reason {self.reason.lower()!r}, of {of}"

    def fits(self, letter: Mapping[str, Any]) -> bool:
        """Whether a record of the ledger is one of them, replayed or not."""
        state = State(letter["state"]).name.lower()
        return self.only in ("all", state) and self.reason.lower() in letter["reason"].lower()


class ReplayIntake:
    """The records of a replay, as its ledger has them. run: the replay, once it is known."""

    repeatable = True
    at_hand = False

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self.name = "dead letters"
        self.run: RunRow | None = None

    def fingerprint(self) -> str:
        """Nothing to be compared by: a replay is found by its run key."""
        return ""

    def whole_digest(self, hashed_by: InputHash) -> tuple[int, bytes | None]:
        """Never asked for: a finished replay is not begun again."""
        return 0, None

    def begin(self, position: int, chunks: dict[str, Chunk], known: PositionSet) -> None:
        """Nothing to do: the records are read from the first."""

    def blocks(self, hashed_by: InputHash, *, cut: int = 0, most: int = 0) -> Iterator[Block]:
        """The records in order; a block ends at position `cut`."""
        assert self.run is not None
        shaped = Shaped(_ReplayReader(self._state_dir, self.run), None, cut, most)
        return DigestedReader(shaped, hashed_by).blocks()


class _ReplayReader:
    """Reads beside the run that writes the ledger."""

    repeatable = True

    def __init__(self, state_dir: Path, run: RunRow) -> None:
        self._state_dir, self._run = state_dir, run

    def blocks(self) -> Iterator[Block]:
        position = 0
        view = LedgerView.open(self._state_dir)
        try:
            while texts := view.replay_texts(self._run, position, _BLOCK_RECORDS):
                yield Block(first=position, lines=texts)
                position += len(texts)
        finally:
            view.close()


def replay(
    destination: DestinationLike,
    *,
    run: str | None = None,
    records: str | os.PathLike[str] | None = None,
    reason: str = "",
    only: Only = "rejected",
    again: bool = False,
    credential: CredentialLike = None,
    state: str | os.PathLike[str] | None = None,
    on_delivery: Callable[[Delivered], None] | None = None,
    **more: Any,
) -> Report:
    """Carry dead letters of a destination once more, by its settings of now, and return the report of that run.

    destination: as `send` has it, like all arguments that are not named here. run: of this run only, its id or the
    beginning of it. records: a file of mended ones, as `haulier dead-letters export --json` writes them; those alone.
    reason: those with this text in their reason. only: `rejected`, `in_doubt` (they may have arrived), or `all`.
    again: those too that a replay took before. more: `params`, `base_url`, `follow` and `leave_in_doubt`.

    Called again after a stop or crash, with the same choice or with none, it goes on with the unfinished replay; mended
    records of standard input cannot be compared, so it goes on without them. Raises ConfigurationError where nothing
    is left to replay.
    """
    check_more(more, _MORE)
    choice = Choice(run=run, records=records, reason=reason, only=only, again=again)
    return carried(
        prepare_replay(
            destination, choice, credential=credential, state=state, on_delivery=on_delivery, **more
        )
    )


def prepare_replay(
    destination: DestinationLike,
    choice: Choice,
    *,
    state: str | os.PathLike[str] | None = None,
    **more: Any,
) -> Sitting:
    """Everything checked and the records of the replay in the ledger, nothing sent. more: as `sending.prepare`."""
    folder = site_of(destination, state=state).state_dir()
    view = LedgerView.open(folder)
    try:
        parent = _run_of(view, choice.run) if choice.run is not None else None
        unfinished = _unfinished(view, parent)
    finally:
        view.close()
    told = choice.told()
    if unfinished is not None and choice.narrows and (not told or told != unfinished.fingerprint):
        raise ConfigurationError(
            f"replay {unfinished.run_id} is unfinished and was begun with another choice; finish it first, without "
            f"choosing: haulier dead-letters replay {unfinished.run_id[:12]}"
        )
    intake = ReplayIntake(folder)
    run_key = unfinished.run_key if unfinished is not None else f"replay:{uuid.uuid4().hex}"
    sitting = prepare(destination, intake, run_key=run_key, state=state, **more)
    ledger = Ledger.create(folder)
    try:
        if unfinished is not None and not sitting.goes_on(unfinished, ledger):
            ledger.drop_replay(unfinished)
            unfinished = None
        if unfinished is None:
            run_row = sitting.new_run(run_key, told)
            intake.run = begun = _begin(ledger, folder, run_row, sitting, choice, parent)
            sitting.take_back = partial(_take_back, folder, begun)
        else:
            intake.run = unfinished
        if again := ledger.begun_again(intake.run):
            sitting.beforehand = (
                f"{again:,} records begin at stage `{sitting.stages[0]}` again, as what they need was cleaned up: "
                "all that its answers make is sent, delivered before or not"
            )
    finally:
        ledger.close()
    return sitting


def _take_back(folder: Path, run: RunRow) -> None:
    ledger = Ledger.create(folder)
    try:
        ledger.drop_replay(run)
    finally:
        ledger.close()


def _run_of(view: LedgerView, word: str) -> RunRow:
    run = view.run(word.partition(".")[0])  # of a stage: the run of its chain
    if run is None:
        raise ConfigurationError(f"no run of this destination begins with {word!r}; see: haulier runs")
    return run


def _unfinished(view: LedgerView, parent: RunRow | None) -> RunRow | None:
    """The newest replay that was begun and not finished: of this run, or this very one."""
    for run in view.replays():
        if run.state != "finished" and (
            parent is None or parent.run_id in (run.run_id, *run.parent.split(","))
        ):
            return run
    return None


def _begin(
    ledger: Ledger, folder: Path, run: RunRow, sitting: Sitting, choice: Choice, parent: RunRow | None
) -> RunRow:
    """Write a new replay with its records; its row, as the ledger has it now."""
    view = LedgerView.open(folder)  # a connection of its own, which does not see what is written meanwhile
    try:
        chosen_runs = [parent] if parent is not None else sorted(view.runs(), key=lambda run: run.id)
        runs = [row for run in chosen_runs for row in (run, *view.stages(run))]
        if choice.records is not None:
            chosen = _mended(view, choice.records, choice, runs)
        else:
            chosen = _left(view, choice, runs)
        chosen = begun_at(view, chosen, runs, sitting.stages)
        first = next(chosen, None)
        if first is None:
            raise ConfigurationError(_nothing_left(view, choice, runs))
        return ledger.start_replay(run, chain([first], chosen), sitting.later_stages(run))
    finally:
        view.close()


def _left(view: LedgerView, choice: Choice, runs: Sequence[RunRow]) -> Iterator[ReplayRow]:
    """The dead letters that fit, oldest run first, by position; those without a text cannot be sent again."""
    for run in runs:
        for letter in view.records(run):
            if choice.fits(letter) and letter["text"] and (choice.again or not letter["replayed"]):
                yield ReplayRow(parent=run.id, parent_position=letter["position"], text=letter["text"])


def _mended(
    view: LedgerView, path: str | os.PathLike[str], choice: Choice, runs: Sequence[RunRow]
) -> Iterator[ReplayRow]:
    """The dead letters of a file, in its order; each must be one of these runs, and one that may be replayed."""
    known = {run.run_id: run for run in runs}
    seen: set[tuple[str, int]] = set()
    for mended in read_mended(path):
        run = known.get(mended.run_id)
        letter = view.record(run, mended.position) if run is not None else None
        if why := _refused(choice, letter, (mended.run_id, mended.position) in seen):
            raise ConfigurationError(
                f"{mended.place}: the record at position {mended.position} of run {mended.run_id[:12]} {why}"
            )
        assert run is not None
        seen.add((mended.run_id, mended.position))
        yield ReplayRow(parent=run.id, parent_position=mended.position, text=mended.text)


def _refused(choice: Choice, letter: Mapping[str, Any] | None, seen: bool) -> str:
    """Why a line of a file is refused, or an empty text."""
    if letter is None:
        return "is no dead letter of what is replayed; take the line out"
    if seen:
        return "stands in the file twice; take one of the lines out"
    if letter["replayed"] and not choice.again:
        return f"was replayed by run {letter['replayed'][:12]}; take the line out, or replay it once more ({_AGAIN})"
    if not choice.fits(letter):
        state = State(letter["state"]).name.lower()
        return (
            f"does not fit: it is {state}, reason {letter['reason']!r}; take the line out, or choose it (--only, only= "
            "in Python)"
        )
    return ""


def _nothing_left(view: LedgerView, choice: Choice, runs: Sequence[RunRow]) -> str:
    """Why there is nothing to replay, and what there would be."""
    if choice.records is not None:
        return f"{os.fspath(choice.records)}: holds no dead letters"
    replayed = textless = others = 0
    for run in runs:
        for letter in view.records(run):
            fits = choice.fits(letter)
            others += not fits and (choice.again or not letter["replayed"])
            textless += fits and not letter["text"]
            replayed += fits and bool(letter["text"])
    told = [
        (replayed, f"were replayed before ({_AGAIN}, replays them once more)"),
        (textless, "are not kept as text (export them with --json, write each `record`, replay the file)"),
        (others, "do not fit (--only rejected|in_doubt|all, --reason TEXT; only=, reason= in Python)"),
    ]
    why = "; ".join(f"{count:,} {what}" for count, what in told if count)
    return f"nothing is left to replay: {why or 'there are no dead letters'}"
