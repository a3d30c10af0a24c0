"""What happened: the runs of all destinations, the report of one, and the records that were not delivered.

Reads ledgers only, beside a run that is writing one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from haulier.errors import ConfigurationError, LedgerError
from haulier.io.destinations import list_destinations
from haulier.io.ledger.opening import ledger_path
from haulier.io.ledger.rows import RunRow
from haulier.io.ledger.view import LedgerView
from haulier.io.project import Project
from haulier.model.delivery import State
from haulier.model.json_value import decoded
from haulier.runs.reports.figures import Figures, figures_of
from haulier.runs.reports.report import Report, report_of

__all__ = [
    "DeadLetter",
    "Listed",
    "Told",
    "all_runs",
    "check_name",
    "dead_letters",
    "export_dead_letters",
    "name_of",
    "replay_target",
    "run_under_way",
    "state_folders",
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
        values = {name: getattr(self, name) for name in self.__struct_fields__}
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


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """A run and the state folder its ledger is in. stage: of a chain, the only one that is meant; empty: all."""

    destination: str
    folder: Path
    run: RunRow
    stage: str = ""


def all_runs(*, state: str | None = None, destination: str | None = None) -> Listed:
    """The runs of a project; of one destination where it is named. One ledger that is damaged hides no other."""
    if destination is not None:
        check_name(destination, state)
    reports: list[Report] = []
    unread: list[str] = []
    for folder in state_folders(state):
        name = name_of(folder)
        if destination not in (None, name):
            continue
        try:
            with closing(LedgerView.open(folder)) as view:
                reports += [report_of(view, run, name) for run in view.runs()]
        except LedgerError as error:
            unread.append(f"{name}: {error}")
    reports.sort(key=lambda report: report.started, reverse=True)
    return Listed(runs=tuple(reports), unread=tuple(unread))


def told_of(word: str, *, state: str | None = None) -> Told:
    """The run of this id or beginning of one, or the latest run of the destination of this name."""
    return next(_told(_found(word, state)))


def dead_letters(
    word: str, *, state: str | None = None, only: str = "all", reason: str = "", replayed: bool = True
) -> Iterator[DeadLetter]:
    """Records that were rejected or are in doubt, of one run or of all runs of a destination, newest run first.

    only: `rejected`, `in_doubt` or `all`; reason: a part of the reason, in any case; replayed: those too that another
    run carried once more.
    """
    for found in _found(word, state):
        settings = decoded(found.run.settings)
        key = settings.get("key") if isinstance(settings, dict) else None
        with closing(LedgerView.open(found.folder)) as view:
            rows = (
                (run, row)
                for run in (found.run, *view.stages(found.run))
                if found.stage in ("", run.stage)
                for row in view.records(run)
            )
            for run, row in rows:
                if (row["replayed"] and not replayed) or reason.lower() not in row["reason"].lower():
                    continue
                row["state"] = State(row["state"]).name.lower()
                if only in ("all", row["state"]):
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
    found = _found(word, state)
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


def _told(runs: list[_Found]) -> Iterator[Told]:
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


def _found(word: str, state: str | None) -> list[_Found]:
    by_id: list[_Found] = []
    by_name: list[_Found] = []
    unread: LedgerError | None = None
    id, _, stage = word.partition(".")
    for folder in state_folders(state):
        name = name_of(folder)
        try:
            with closing(LedgerView.open(folder)) as view:
                runs = view.runs()
                staged = {
                    run.run_id
                    for run in runs
                    if stage and stage in (run.stage, *(later.stage for later in view.stages(run)))
                }
        except LedgerError as error:
            if name == word:
                raise
            unread = error  # the run may be there, or in another one
            continue
        by_name += [_Found(destination=name, folder=folder, run=run) for run in runs if name == word]
        by_id += [
            _Found(destination=name, folder=folder, run=run, stage=stage)
            for run in runs
            if id and run.run_id.startswith(id) and (not stage or run.run_id in staged)
        ]
    if len(by_id) > 1 and not by_name:
        raise ConfigurationError(
            f"{len(by_id)} runs begin with {word}; write more of it: {', '.join(found.run.run_id for found in by_id)}"
        )
    if chosen := (by_id if len(by_id) == 1 else by_name):
        return sorted(chosen, key=lambda found: found.run.started, reverse=True)
    if unread is not None:
        raise unread
    raise ConfigurationError(f"no run {word!r}, and no run of a destination of that name; {_known(state)}")


def check_name(destination: str, state: str | None) -> None:
    """Whether there is a destination of this name, or runs of one; ConfigurationError where there is neither."""
    with_runs = {name_of(folder) for folder in state_folders(state)}
    if destination in with_runs:
        return
    names = with_runs | {one.name for one in list_destinations(Project.find(state=state))}
    if destination not in names:
        told = ", ".join(sorted(names)) or "none yet"
        raise ConfigurationError(f"there is no destination {destination!r}; there are: {told}")


def _known(state: str | None) -> str:
    names = ", ".join(sorted({name_of(folder) for folder in state_folders(state)}))
    return (
        f"destinations with runs: {names} (see: haulier runs)"
        if names
        else "nothing was sent yet in this project"
    )


def state_folders(state: str | None) -> list[Path]:
    """State folders that hold a ledger."""
    base = Project.find(state=state).state
    if not base.is_dir():
        return []
    return sorted(folder for folder in base.iterdir() if ledger_path(folder).is_file())


def name_of(folder: Path) -> str:
    """The destination a state folder belongs to; what follows an @ tells files of one name apart."""
    return folder.name.partition("@")[0]


def _value_of(text: bytes | None, key: str | None) -> Any:
    record = _read(text) if text and key else None
    return record.get(key) if isinstance(record, dict) else None


def _read(text: bytes) -> Any:
    try:
        return decoded(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
