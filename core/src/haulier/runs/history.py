"""What happened: the runs of all destinations, the report of one, and the records that were not delivered.

Reads ledgers only, beside a run that is writing one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from haulier.errors import ConfigurationError, LedgerError
from haulier.io.ledger.rows import RunRow
from haulier.io.ledger.store import LedgerView, ledger_path
from haulier.io.project import Project, shown
from haulier.model.delivery import State
from haulier.runs.report import Report, report_of

__all__ = [
    "DeadLetter",
    "Told",
    "all_runs",
    "dead_letters",
    "export_dead_letters",
    "run_under_way",
    "told_of",
]

_decode = msgspec.json.Decoder().decode


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its ledger tells it. tickets: of requests that the service accepted and works on.

    reasons: why records were rejected or are in doubt, with how many of them, the most frequent first.
    """

    report: Report
    tickets: tuple[str, ...]
    reasons: tuple[tuple[str, int], ...]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was not delivered, or of which nobody knows. state: `rejected` or `in_doubt`.

    key: value of the attribute that names records; None where there is none. number: its request; None where it never
    became one. text: the record as read; None where the ledger does not have it.
    """

    run_id: str
    destination: str
    position: int
    key: Any
    state: str
    reason: str
    number: int | None
    text: bytes | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {**values, "text": self.text.decode("utf-8", "replace") if self.text is not None else None}


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """A run and the state folder its ledger is in."""

    destination: str
    folder: Path
    run: RunRow


def all_runs(*, state: str | None = None, destination: str | None = None) -> tuple[Report, ...]:
    """The reports of all runs of a project, newest first; of one destination where it is named."""
    reports = []
    for folder in _folders(state):
        name = _name_of(folder)
        if destination in (None, name):
            with _reading(folder) as view:
                reports += [report_of(view, run, name) for run in view.runs()]
    return tuple(sorted(reports, key=lambda report: report.started, reverse=True))


def told_of(word: str, *, state: str | None = None) -> Told:
    """The run of this id or beginning of one, or the latest run of the destination of this name."""
    return next(_told(_found(word, state)))


def dead_letters(word: str, *, state: str | None = None) -> Iterator[DeadLetter]:
    """Records that were rejected or are in doubt, of one run or of all runs of a destination, newest run first."""
    for found in _found(word, state):
        settings = _decode(found.run.settings)
        key = settings.get("key") if isinstance(settings, dict) else None
        with _reading(found.folder) as view:
            for row in view.records(found.run):
                yield DeadLetter(
                    run_id=found.run.run_id,
                    destination=found.destination,
                    position=row["position"],
                    key=_value_of(row["text"], key),
                    state=State(row["state"]).name.lower(),
                    reason=row["reason"],
                    number=row["number"],
                    text=row["text"],
                )


def export_dead_letters(
    word: str, file: BinaryIO, *, state: str | None = None, explained: bool = False
) -> tuple[int, int]:
    """Write the texts of dead letters, one a line; (written, those whose text is not kept).

    explained: write JSON objects with state and reason instead of the bare texts.
    """
    written = missing = 0
    for letter in dead_letters(word, state=state):
        if letter.text is None:
            missing += 1
            continue
        line = msgspec.json.encode({"shape": 1, **letter.to_dict()}) if explained else letter.text
        file.write(line + b"\n")
        written += 1
    return written, missing


def run_under_way(folder: Path, run_id: str) -> Report | None:
    """The counts of a run whose ledger is in this state folder, as they are now; None where it cannot be told."""
    try:
        with _reading(folder) as view:
            run = view.run(run_id)
            return report_of(view, run, _name_of(folder)) if run is not None else None
    except LedgerError:
        return None  # progress only: the run itself says what is wrong


def _told(runs: list[_Found]) -> Iterator[Told]:
    for found in runs:
        with _reading(found.folder) as view:
            report = report_of(view, found.run, found.destination)
            tickets = tuple(
                request["ticket"]
                for request in (view.requests(found.run) if report.accepted else ())
                if request["state"] == State.ACCEPTED and request["ticket"]
            )
            reasons: dict[str, int] = {}
            if report.rejected or report.in_doubt:
                for record in view.records(found.run):
                    reasons[record["reason"]] = reasons.get(record["reason"], 0) + 1
        ordered = sorted(reasons.items(), key=lambda pair: -pair[1])
        yield Told(report=report, tickets=tickets, reasons=tuple(ordered))


def _found(word: str, state: str | None) -> list[_Found]:
    by_id: list[_Found] = []
    by_name: list[_Found] = []
    for folder in _folders(state):
        name = _name_of(folder)
        with _reading(folder) as view:
            for run in view.runs():
                found = _Found(destination=name, folder=folder, run=run)
                if name == word:
                    by_name.append(found)
                if word and run.run_id.startswith(word):
                    by_id.append(found)
    if len(by_id) > 1 and not by_name:
        raise ConfigurationError(
            f"{len(by_id)} runs begin with {word}; write more of it: {', '.join(found.run.run_id for found in by_id)}"
        )
    if chosen := (by_id if len(by_id) == 1 else by_name):
        return sorted(chosen, key=lambda found: found.run.started, reverse=True)
    raise ConfigurationError(f"no run {word!r}, and no run of a destination of that name; {_known(state)}")


def _known(state: str | None) -> str:
    names = ", ".join(sorted({_name_of(folder) for folder in _folders(state)}))
    return (
        f"destinations with runs: {names} (see: haulier runs)"
        if names
        else "nothing was sent yet in this project"
    )


def _folders(state: str | None) -> list[Path]:
    """State folders that hold a ledger."""
    base = Project.find(state=state).state
    if not base.is_dir():
        return []
    return sorted(folder for folder in base.iterdir() if ledger_path(folder).is_file())


def _name_of(folder: Path) -> str:
    """The destination a state folder belongs to; what follows an @ tells files of one name apart."""
    return folder.name.partition("@")[0]


@contextmanager
def _reading(folder: Path) -> Iterator[LedgerView]:
    view = LedgerView.open(folder)
    try:
        yield view
    except sqlite3.Error as error:
        raise LedgerError(f"cannot read the ledger {shown(ledger_path(folder))}: {error}") from None
    finally:
        view.close()


def _value_of(text: bytes | None, key: str | None) -> Any:
    if not text or not key:
        return None
    try:
        record = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return record.get(key) if isinstance(record, dict) else None
