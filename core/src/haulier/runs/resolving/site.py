"""Where a destination is at home: its project folder, its state folder, its credentials."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.destinations import destination_from, load_destination
from haulier.io.project import Project, state_folder
from haulier.model.destination import Destination
from haulier.runs.resolving.arguments import check_arguments

__all__ = ["DestinationLike", "Site", "file_of", "site_of"]

DestinationLike: TypeAlias = "Destination | Mapping[str, Any] | str | os.PathLike[str]"


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A destination with its folders. root: where relative paths begin; in_code: it was given as a value, not a file.

    state_base None: state is kept below the project's private folder.
    """

    destination: Destination
    root: Path
    in_code: bool
    _state: tuple[Path, Path | None]

    def state_dir(self) -> Path:
        """The folder with ledger and activation, made for its owner alone where it is missing."""
        base, file = self._state
        return state_folder(base, self.destination.name, file)

    def credentials(self) -> Path:
        """The file of the credential store; it may not exist."""
        return self.root / ".haulier" / "credentials.json"


def site_of(given: DestinationLike, *, state: str | os.PathLike[str] | None = None) -> Site:
    """Find a destination and its folders.

    A name is looked up in the project of the current folder. A path or a value needs no project: then the current
    folder takes its place. state: keeps run state there instead of below `.haulier`.
    """
    check_arguments(destination=given, state=state)
    try:
        project: Project | None = Project.find(state=os.fspath(state) if state is not None else None)
    except ConfigurationError:
        if isinstance(given, str) and not given.endswith((".yaml", ".yml")):
            raise
        project = None
    root = project.root if project is not None else Path.cwd()
    base = Path(state).absolute() if state is not None else root / ".haulier"
    if isinstance(given, Destination | Mapping):
        return Site(destination=destination_from(given), root=root, in_code=True, _state=(base, None))
    if project is not None:
        located = project.locate(given)
        destination = load_destination(located.path)
        return Site(
            destination=destination,
            root=root,
            in_code=False,
            _state=(base, None if located.own else located.path),
        )
    path = Path(given).absolute()
    return Site(destination=load_destination(path), root=root, in_code=False, _state=(base, path))


def file_of(name_or_path: str) -> Path:
    """The file of a destination that is named as `site_of` takes it."""
    try:
        return Project.find().locate(name_or_path).path
    except ConfigurationError:
        if not name_or_path.endswith((".yaml", ".yml")):
            raise
        return Path(name_or_path).absolute()
