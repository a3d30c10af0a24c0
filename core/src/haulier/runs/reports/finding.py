"""Which ledgers a project has, and which run a person means: by its id, the beginning of one, or by a destination."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from haulier.errors import ConfigurationError, LedgerError
from haulier.io.destinations import list_destinations
from haulier.io.ledger.opening import ledger_path
from haulier.io.ledger.rows import RunRow
from haulier.io.ledger.view import LedgerView
from haulier.io.project import Project

__all__ = ["Found", "found_runs", "ledgers_of", "name_of"]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A run and the state folder its ledger is in. stage: of a chain, the only one that is meant; empty: all."""

    destination: str
    folder: Path
    run: RunRow
    stage: str = ""


def ledgers_of(destination: str | None, state: str | None) -> Iterator[tuple[str, Path]]:
    """(destination, state folder) of each ledger of a project; None for those of all destinations.

    ConfigurationError where there is no destination of this name, and no run of one.
    """
    if destination is not None:
        _check_name(destination, state)
    for folder in _state_folders(state):
        name = name_of(folder)
        if destination in (None, name):
            yield name, folder


def found_runs(word: str, state: str | None) -> list[Found]:
    """The runs of the destination of this name, newest first, or else the run whose id begins so; one at least.

    The name of a destination is never taken for the beginning of an id, whoever's run that is; a whole id is an id.
    Raises ConfigurationError where there is none, or where several begin so, LedgerError where it may be in a ledger
    that cannot be read.
    """
    by_id: list[Found] = []
    by_name: list[Found] = []
    unread: LedgerError | None = None
    for folder in _state_folders(state):
        name = name_of(folder)
        try:
            with closing(LedgerView.open(folder)) as view:
                by_id += _that_begin_with(word, view, folder)
                if name == word:
                    by_name += [Found(destination=name, folder=folder, run=run) for run in view.runs()]
        except LedgerError as error:
            if name == word:
                raise
            unread = error  # the run may be there, or in another one
    if by_name and not any(found.run.run_id == word for found in by_id):
        return sorted(by_name, key=lambda found: found.run.started, reverse=True)
    if unread is not None and not by_id:
        raise unread
    return _the_one(word, by_id, state)


def _the_one(word: str, found: list[Found], state: str | None) -> list[Found]:
    """The run whose id begins with a word that names no destination; ConfigurationError where it is none or several."""
    project = Project.find(state=state)
    if word in project.names():
        project.locate(word)  # raises where a run could not find its file either
        raise ConfigurationError(
            f"nothing was sent to destination `{word}` yet; begin with: haulier run {word}"
        )
    if not found:
        raise ConfigurationError(
            f"no run {word!r}, and no run of a destination of that name; {_known(state)}"
        )
    if len(found) > 1:
        ids = ", ".join(one.run.run_id for one in found)
        raise ConfigurationError(f"{len(found)} runs begin with {word}; write more of it: {ids}")
    return found


def _that_begin_with(word: str, view: LedgerView, folder: Path) -> list[Found]:
    """The runs of a ledger whose id begins with a word; what follows a dot is the one stage that is meant."""
    id, _, stage = word.partition(".")
    if not id:
        return []
    return [
        Found(destination=name_of(folder), folder=folder, run=run, stage=stage)
        for run in view.runs()
        if run.run_id.startswith(id)
        and (not stage or stage in (run.stage, *(later.stage for later in view.stages(run))))
    ]


def _check_name(destination: str, state: str | None) -> None:
    """Whether there is a destination of this name, or runs of one; ConfigurationError where there is neither."""
    with_runs = {name_of(folder) for folder in _state_folders(state)}
    if destination in with_runs:
        return
    names = with_runs | {one.name for one in list_destinations(Project.find(state=state))}
    if destination not in names:
        told = ", ".join(sorted(names)) or "none yet"
        raise ConfigurationError(f"there is no destination {destination!r}; there are: {told}")


def _known(state: str | None) -> str:
    names = ", ".join(sorted({name_of(folder) for folder in _state_folders(state)}))
    return (
        f"destinations with runs: {names} (see: haulier runs)"
        if names
        else "nothing was sent yet in this project"
    )


def _state_folders(state: str | None) -> list[Path]:
    """State folders that hold a ledger."""
    base = Project.find(state=state).state
    if not base.is_dir():
        return []
    return sorted(folder for folder in base.iterdir() if ledger_path(folder).is_file())


def name_of(folder: Path) -> str:
    """The destination a state folder belongs to; what follows an @ tells files of one name apart."""
    return folder.name.partition("@")[0]
