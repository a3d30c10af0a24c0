"""The project on disk: where destination files, state and stored credentials are, and who may read them.

A project is the folder that holds `haulier.yaml`. Names become paths here and nowhere else, so that a name
never leads out of the project. State and credentials are for their owner alone: folders 0700, files 0600.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

import msgspec
from pydantic import TypeAdapter, ValidationError

from haulier.errors import ConfigurationError, DestinationError
from haulier.model.closest import closest

__all__ = [
    "Located",
    "Project",
    "check_name",
    "file_name",
    "private_folder",
    "shown",
    "state_folder",
    "sync_folder",
    "write_private",
]

_MARKER = "haulier.yaml"
_MARKER_TEXT = """\
# This file marks the folder as a Haulier project.
#
#   destinations/   one YAML file for each destination; keep them under version control
#   .haulier/       what happened to every record, and stored credentials; private to this machine
#
# haulier destination new     makes a destination
# haulier credential add      stores a credential
version: 1
"""
_MARKER_LINES = frozenset({b"", b"version: 1"})
_ENDINGS = (".yaml", ".yml")


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """Where a destination is written. own: whether it is the project's own, `destinations/<name>.yaml`."""

    name: str
    path: Path
    own: bool


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project folder. root: absolute; state: the folder with one state folder for each destination."""

    root: Path
    state: Path

    @classmethod
    def find(cls, start: str | os.PathLike[str] | None = None, *, state: str | None = None) -> Project:
        """Return the project of `start` (left out: the current folder): there, or the nearest folder above.

        state: replaces `.haulier` of the project for run state; credentials stay in the project.
        Raises ConfigurationError where no folder upwards holds `haulier.yaml`, or where that holds settings.
        """
        try:
            begin = Path(start or Path.cwd()).absolute()
        except FileNotFoundError:
            raise ConfigurationError(
                "the current folder is not there any more; go to the folder of a project"
            ) from None
        for folder in (begin, *begin.parents):
            if (folder / _MARKER).is_file():
                _check_marker(folder / _MARKER)
                return cls(root=folder, state=Path(state).absolute() if state else folder / ".haulier")
        raise ConfigurationError(
            f"no {_MARKER} in {begin} or any folder above it; make a project with: haulier init"
        )

    @classmethod
    def init(cls, folder: str | os.PathLike[str]) -> tuple[Project, tuple[Path, ...]]:
        """Make a project of `folder` and return it with the files and folders that were made.

        What is there already is left as it is, so a second call makes nothing and returns an empty tuple.
        """
        root = Path(folder).absolute()
        made: list[Path] = []
        _make_folder(root, made)
        if _write_new(root / _MARKER, _MARKER_TEXT):
            made.append(root / _MARKER)
        project = cls.find(root)
        _make_folder(project.destinations, made)
        if not project.home.exists():
            made.append(project.home)
        private_folder(project.home)
        return project, tuple(made)

    @property
    def home(self) -> Path:
        """The project's private folder, which holds the credentials and, unless moved, the state."""
        return self.root / ".haulier"

    @property
    def marker(self) -> Path:
        """The file that makes the folder a project."""
        return self.root / _MARKER

    @property
    def destinations(self) -> Path:
        """The folder of the project's destination files."""
        return self.root / "destinations"

    @property
    def credentials(self) -> Path:
        """The file of the project's credential store; it may not exist yet."""
        return self.home / "credentials.json"

    def names(self) -> tuple[str, ...]:
        """Return the names of the project's destinations, sorted, each once."""
        return tuple(dict.fromkeys(path.stem for path in self.files()))

    def files(self) -> tuple[Path, ...]:
        """Return the project's destination files, sorted by name."""
        if not self.destinations.is_dir():
            return ()
        return tuple(sorted(path for path in self.destinations.iterdir() if path.suffix in _ENDINGS))

    def locate(self, name_or_path: str | os.PathLike[str]) -> Located:
        """Return where a destination is written, by its name or by the path of a YAML file typed by a person.

        A name leads to `destinations/<name>.yaml` inside the project only; a path is taken as typed.
        Raises DestinationError where there is no such file, naming those that there are, or two of one name.
        """
        text = os.fspath(name_or_path)
        if not text.endswith(_ENDINGS) and not isinstance(name_or_path, os.PathLike):
            return Located(name=text, path=self._path_of(text), own=True)
        path = Path(text).absolute()
        if not path.is_file():
            raise DestinationError(f"{text}: no such file; destinations of this project: {self._known()}")
        own = path.parent.resolve() == self.destinations.resolve()
        if own:
            self.check_alone(path.stem)
        return Located(name=file_name(path), path=path, own=own)

    def state_folder(self, located: Located) -> Path:
        """Return the state folder of a destination, made for its owner alone where it is missing."""
        if self.state == self.home:
            private_folder(self.home)
        return state_folder(self.state, located.name, None if located.own else located.path)

    def check_alone(self, name: str) -> None:
        """Pass where no more than one file is the destination of this name; else DestinationError names them."""
        there = [path for path in self.files() if path.stem == name]
        if len(there) > 1:
            told = " and ".join(map(shown, there))
            raise DestinationError(f"destination `{name}` has two files, {told}; remove one, or rename it")

    def _path_of(self, name: str) -> Path:
        for path in self.files():
            if path.stem == name:
                file_name(path)
        check_name("destination", name)
        self.check_alone(name)
        for ending in _ENDINGS:
            path = self.destinations / f"{name}{ending}"
            if path.is_file():
                if path.resolve().is_relative_to(self.root.resolve()):
                    return path
                raise DestinationError(
                    f"{shown(path)} is a link out of the project; put the file itself there"
                )
            if os.path.lexists(path):
                raise DestinationError(f"{shown(path)} is a folder, or a link to nothing; put a file there")
        close = closest(name, self.names())
        hint = f"did you mean `{close[0]}`?" if close else f"known: {self._known()}"
        raise DestinationError(f"no destination `{name}` in {shown(self.destinations)}; {hint}")

    def _known(self) -> str:
        return ", ".join(self.names()) or "none yet; make one with: haulier destination new"


def state_folder(base: Path, name: str, file: Path | None = None) -> Path:
    """Return the state folder of one destination below `base`, made for its owner alone where it is missing.

    file: given where the destination is not one of a project's own: two files of one name never share state.
    """
    leaf = check_name("destination", name)
    if file is not None:
        leaf += "@" + hashlib.sha256(os.fsencode(file.resolve())).hexdigest()[:8]
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{shown(base)} cannot be made: {error.strerror}; choose another folder with --state"
        ) from None
    return private_folder(base / leaf)


@cache
def _names() -> TypeAdapter[str]:
    from haulier.model.connector import Name  # noqa: PLC0415 - whoever only reads or plans names nothing

    return TypeAdapter(Name)


def check_name(what: str, name: str) -> str:
    """Return `name` where it is a name (lower-case words joined by `-`, at most 60 characters), or raise."""
    try:
        return _names().validate_python(name)
    except ValidationError:
        raise ConfigurationError(
            f"{what} name {name!r}: a name is lower-case words and digits joined by `-`, a letter first, "
            "60 characters at most, such as tag-images"
        ) from None


def file_name(path: Path) -> str:
    """Return the name of the destination in a file: the file's, without ending; DestinationError where it is none."""
    try:
        return check_name("destination", path.stem)
    except ConfigurationError as error:
        raise DestinationError(f"{shown(path)}: {error}; rename the file") from None


def shown(path: Path) -> str:
    """A path as messages name it: relative to the current folder where it lies below, else whole."""
    absolute = path.absolute()
    try:
        return str(absolute.relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):
        return str(absolute)


def private_folder(path: Path) -> Path:
    """Return `path`, made a folder for its owner alone (0700) whose content stays out of version control."""
    if path.is_symlink():
        raise ConfigurationError(f"{shown(path)} is a link; make it a folder, or keep state with --state DIR")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            path.chmod(0o700)
        if not (path / ".gitignore").exists():
            write_private(path / ".gitignore", b"*\n")
    except FileExistsError:
        raise ConfigurationError(f"{shown(path)} is a file where a folder is needed; move it away") from None
    except OSError as error:
        raise ConfigurationError(f"{shown(path)} cannot be made or kept private: {error.strerror}") from None
    return path


def write_private(path: Path, content: bytes) -> None:
    """Put a whole file (0600) in place of another, durably: after a crash it is the old or the new one.

    ConfigurationError where it cannot be written; the old one stands then.
    """
    try:
        _put_in_place(path, content)
    except OSError as error:
        raise ConfigurationError(
            f"{shown(path)} cannot be written: {error.strerror}; make room or mend its permissions, then run again"
        ) from None


def _put_in_place(path: Path, content: bytes) -> None:
    import tempfile  # noqa: PLC0415 - archives and random numbers come along, in every start that writes nothing

    # mkstemp makes the file 0600 whatever the umask, before a byte is in it.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make durable which files there are in a folder."""
    if os.name != "posix":
        return  # nothing to do there, and no way to do it
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(path: Path, made: list[Path]) -> None:
    if path.is_dir():
        return
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise ConfigurationError(f"{shown(path)}: cannot make this folder: {error.strerror}") from None
    made.append(path)


def _write_new(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigurationError(f"{shown(path)}: cannot write this file: {error.strerror}") from None
    return True


def _check_marker(path: Path) -> None:
    """Refuse a `haulier.yaml` with settings: there are none, and one that is silently ignored misleads."""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.partition(b"#")[0].rstrip() not in _MARKER_LINES:
            raise ConfigurationError(
                f"{shown(path)}:{number}: not understood; this file holds comments and `version: 1`, "
                "settings belong into destinations/<name>.yaml"
            )
