"""What happened: the runs of all destinations, the report of one, and the records that were not delivered.

Reads ledgers only, beside a run that is writing one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from haulier.errors import ConfigurationError, LedgerError
from haulier.io.ledger.view import LedgerView
from haulier.model.delivery import State
from haulier.model.json_value import NO_JSON, decoded
from haulier.runs.reports.figures import Figures, figures_of
from haulier.runs.reports.finding import Found, found_runs, ledgers_of, name_of
from haulier.runs.reports.report import Report, report_of

__all__ = [
    "DeadLetter",
    "Listed",
    "Told",
    "all_runs",
    "dead_letters",
    "export_dead_letters",
    "replay_target",
    "run_under_way",
    "told_of",
]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its ledger tells it. tickets: of requests that the service accepted and works on.

    reasons: why records were rejected or are in doubt: (state, reason, records), the most frequent first.
    """

    report: Report
    figures: Figures
    tickets: tuple[str, ...]
    reasons: tuple[tuple[str, str, int], ...]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was not delivered, or of which nobody knows. state: `rejected` or `in_doubt`.

    stage: of a chain; there run_id is that of the stage's run, and position counts the records that came to it.

    key: value of the attribute that names records; None where there is none. number: its request; None where it never
    became one. part_of: number of the request that its own is a part of; None where it is none. replayed: the newest
    run that carried it once more; None where none did. text: the record as read; None where the ledger lacks it.
    """

    run_id: str
    stage: str
    destination: str
    position: int
    key: Any
    state: str
    reason: str
    number: int | None
    part_of: int | None
    replayed: str | None
    text: bytes | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        values = msgspec.structs.asdict(self)
        return {**values, "text": self.text.decode("utf-8", "replace") if self.text is not None else None}

    def to_mend(self) -> dict[str, Any]:
        """As JSON values that a person can mend: the record under `record` where it is JSON, else its `text`."""
        values = self.to_dict()
        if self.text is not None and isinstance(_read(self.text), dict):
            del values["text"]
            values["record"] = msgspec.Raw(self.text)
        return values


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """The reports of runs, newest first. unread: why the ledgers of some destinations cannot be read."""

    runs: tuple[Report, ...]
    unread: tuple[str, ...]


def all_runs(*, state: str | None = None, destination: str | None = None) -> Listed:
    """The runs of a project; of one destination where it is named. One ledger that is damaged hides no other."""
    reports: list[Report] = []
    unread: list[str] = []
    for name, folder in ledgers_of(destination, state):
        try:
            with closing(LedgerView.open(folder)) as view:
                reports += [report_of(view, run, name) for run in view.runs()]
        except LedgerError as error:
            unread.append(f"{name}: {error}")
    reports.sort(key=lambda report: report.started, reverse=True)
    return Listed(runs=tuple(reports), unread=tuple(unread))


def told_of(word: str, *, state: str | None = None) -> Told:
    """The run of this id or beginning of one, or the latest run of the destination of this name."""
    return next(_told(found_runs(word, state)))


def dead_letters(
    word: str, *, state: str | None = None, only: str = "all", reason: str = "", replayed: bool = True
) -> Iterator[DeadLetter]:
    """Records that were rejected or are in doubt, of one run or of all runs of a destination, newest run first.

    only: `rejected`, `in_doubt` or `all`; reason: a part of the reason, in any case; replayed: those too that another
    run carried once more.
    """
    reason = reason.lower()

    def is_asked_for(row: dict[str, Any]) -> bool:
        if only not in ("all", row["state"]) or (row["replayed"] and not replayed):
            return False
        return reason in row["reason"].lower()

    for found in found_runs(word, state):
        with closing(LedgerView.open(found.folder)) as view:
            yield from _letters(view, found, is_asked_for)


def _letters(
    view: LedgerView, found: Found, is_asked_for: Callable[[dict[str, Any]], bool]
) -> Iterator[DeadLetter]:
    """The dead letters of a run, all its stages or the one that is meant, of which the row is asked for."""
    settings = decoded(found.run.settings)
    key = settings.get("key") if isinstance(settings, dict) else None
    runs = [run for run in (found.run, *view.stages(found.run)) if found.stage in ("", run.stage)]
    for run in runs:
        for row in view.records(run):
            row["state"] = State(row["state"]).name.lower()
            if is_asked_for(row):
                yield DeadLetter(
                    run_id=run.run_id,
                    stage=run.stage,
                    destination=found.destination,
                    key=_value_of(row["text"], key),
                    **row,
                )


def export_dead_letters(
    letters: Iterable[DeadLetter], file: BinaryIO, *, explained: bool = False
) -> tuple[int, int]:
    """Write dead letters, one a line; (written, those whose text is not kept).

    explained: write JSON objects with state and reason beside the record, to be mended and replayed, instead of the
    bare texts; those without a text too.
    """
    written = missing = 0
    for letter in letters:
        missing += letter.text is None
        if explained:
            file.write(msgspec.json.encode({"shape": 1, **letter.to_mend()}) + b"\n")
        elif letter.text is not None:
            file.write(letter.text + b"\n")
        written += explained or letter.text is not None
    return written, missing


def replay_target(word: str, *, state: str | None = None) -> tuple[str, str | None]:
    """(destination, run id) of what is to be replayed: a run, or all of a destination, by name or by path."""
    if word.endswith((".yaml", ".yml")):
        return word, None
    found = found_runs(word, state)
    if found[0].destination == word:
        return word, None
    if "@" in found[0].folder.name:
        raise ConfigurationError(
            f"run {found[0].run.run_id} belongs to a destination file outside the project's; replay by the path of "
            "that file: haulier dead-letters replay FILE.yaml"
        )
    return found[0].destination, found[0].run.run_id


def run_under_way(folder: Path, run_id: str) -> Report | None:
    """The counts of a run whose ledger is in this state folder, as they are now; None where it cannot be told."""
    try:
        with closing(LedgerView.open(folder)) as view:
            run = view.run(run_id)
            return report_of(view, run, name_of(folder)) if run is not None else None
    except LedgerError:
        return None  # progress only: the run itself says what is wrong


def _told(runs: list[Found]) -> Iterator[Told]:
    for found in runs:
        with closing(LedgerView.open(found.folder)) as view:
            report = report_of(view, found.run, found.destination)
            stages = [found.run, *view.stages(found.run)]
            yield Told(
                report=report,
                figures=figures_of(view, stages),
                tickets=tuple(ticket for run in stages for ticket in view.tickets(run))
                if report.accepted
                else (),
                reasons=tuple(
                    (
                        State(state).name.lower(),
                        f"stage {run.stage}: {reason}" if run.stage else reason,
                        records,
                    )
                    for run in stages
                    for state, reason, records in view.reasons(run)
                ),
            )


def _value_of(text: bytes | None, key: str | None) -> Any:
    record = _read(text) if text and key else None
    return record.get(key) if isinstance(record, dict) else None


def _read(text: bytes) -> Any:
    try:
        return decoded(text)
    except NO_JSON:
        return None
