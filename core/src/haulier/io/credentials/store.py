"""Stored credentials: named secret values of one type, bound to origins, in one file for its owner alone.

A value is kept as it is, or as a reference to where it is (`env:NAME`, `file:PATH`) that is followed when the
credential is used, not before. No `repr`, message or listing shows a value.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from haulier.errors import ConfigurationError, CredentialError
from haulier.io.credentials.bound import origin_of
from haulier.io.credentials.resolve import ResolvedCredential, SecretRef, check_fields, resolve_values
from haulier.io.project import Project, check_name, private_folder, shown, write_private
from haulier.model.closest import closest
from haulier.model.credential_name import NO_CREDENTIAL
from haulier.model.parts import CredentialType

__all__ = ["Credential", "CredentialStore", "StoredRow"]

_VERSION = 1


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A stored credential. type: name of its credential type; origins: canonical, never empty."""

    name: str
    type: str
    values: Mapping[str, SecretRef]
    origins: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Credential(name={self.name!r}, type={self.type!r}, origins={self.origins!r})"


class StoredRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a listing. values: field -> where its value is: `stored`, `env:NAME` or `file:PATH`."""

    name: str
    type: str
    origins: tuple[str, ...]
    values: Mapping[str, str]


class CredentialStore:
    """The credentials of one project, in the JSON file at `path` (0600), which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"CredentialStore({shown(self.path)!r})"

    def add(
        self,
        name: str,
        credential_type: CredentialType,
        values: Mapping[str, str | SecretRef],
        origins: Sequence[str] = (),
        *,
        replace: bool = False,
    ) -> Credential:
        """Store a credential and return it.

        values: one for each field of the type's settings; `env:NAME` and `file:PATH` are references (a path
        is kept absolute), other text is the value itself. origins: where it may be sent; left out, those its
        type names. Raises CredentialError for wrong fields or values, no origin, or a taken name.
        """
        check_name("credential", name)
        if name == NO_CREDENTIAL:
            raise CredentialError(
                f"`credential: {NO_CREDENTIAL}` says that a call has none, so none is stored by that name; take another"
            )
        refs = {
            key: SecretRef.parse(value) if isinstance(value, str) else value for key, value in values.items()
        }
        bound = tuple(dict.fromkeys(origin_of(origin) for origin in (origins or credential_type.origins)))
        if not bound:
            raise CredentialError(
                f"credential `{name}`: name the server it may go to, such as --origin https://api.example.com"
            )
        check_fields(name, credential_type, refs)
        credential = Credential(name=name, type=credential_type.name, values=refs, origins=bound)
        with self._locked():
            known = self._read()
            if name in known and not replace:
                raise CredentialError(
                    f"credential `{name}` is stored; choose another name, or replace it with --replace"
                )
            self._write({**known, name: credential})
        return credential

    def list(self) -> tuple[StoredRow, ...]:
        """Return what is stored, by name, without values."""
        return tuple(
            StoredRow(
                name=stored.name,
                type=stored.type,
                origins=stored.origins,
                values={key: ref.place for key, ref in stored.values.items()},
            )
            for _, stored in sorted(self._read().items())
        )

    def get(self, name: str, of_type: str = "TYPE|CONNECTOR") -> Credential:
        """Return a stored credential; CredentialError, which names those there are, where it is none.

        of_type: what the error says to store it as; empty: it is not wanted.
        """
        known = self._read()
        if name in known:
            return known[name]
        if not known:
            _check_in_project(name, self.path)
        close = closest(name, known)
        hint = f"did you mean `{close[0]}`? " if close else ""
        way_out = f"; store it with: haulier credential add {of_type} --name {name}" if of_type else ""
        raise CredentialError(
            f"no credential `{name}`; {hint}stored: {', '.join(sorted(known)) or 'none'}{way_out}"
        )

    def remove(self, name: str) -> None:
        """Forget a credential; raises CredentialError where there is none of that name."""
        with self._locked():
            gone = self.get(name, "")
            self._write({key: stored for key, stored in self._read().items() if key != gone.name})

    def resolve(self, name: str, credential_type: CredentialType) -> ResolvedCredential:
        """Return a credential with its values read from where they are and checked by the type's settings.

        Raises CredentialError where it is unknown, of another type, or a value is missing or wrong.
        """
        stored = self.get(name, credential_type.name)
        if stored.type != credential_type.name:
            raise CredentialError(
                f"credential `{name}` is of type {stored.type}, not {credential_type.name}; store one with: "
                f"haulier credential add {credential_type.name} --name NAME"
            )
        return resolve_values(name, credential_type, stored.values, stored.origins)

    def _read(self) -> dict[str, Credential]:
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CredentialError(f"{shown(self.path)}: cannot be read: {error.strerror}") from None
        if os.name == "posix" and mode & 0o077:
            where = shown(self.path)
            raise CredentialError(
                f"{where} is open to others (mode {mode & 0o777:04o}); run: chmod 600 {where}"
            )
        try:
            return _parse(json.loads(content))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CredentialError(
                f"{shown(self.path)} is damaged or newer than this version; move it away and add them anew"
            ) from None

    def _write(self, credentials: Mapping[str, Credential]) -> None:
        written = {
            name: {
                "type": stored.type,
                "origins": list(stored.origins),
                "values": {key: {ref.kind: ref.text} for key, ref in stored.values.items()},
            }
            for name, stored in sorted(credentials.items())
        }
        content = json.dumps({"version": _VERSION, "credentials": written}, indent=2)
        write_private(self.path, content.encode() + b"\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold off other processes that change the file, so that none of two changes is lost."""
        if not self.path.parent.exists():
            private_folder(self.path.parent)
        if os.name != "posix":
            yield
            return
        # Not on Windows, hence here.
        import fcntl  # noqa: PLC0415

        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _check_in_project(name: str, path: Path) -> None:
    """Pass where the store of a wanted credential is that of a project: outside one nothing can be stored."""
    try:
        Project.find(path.parent.parent)
    except ConfigurationError as error:
        raise CredentialError(f"no credential `{name}`: {error}") from None


def _parse(content: Any) -> dict[str, Credential]:
    if content["version"] != _VERSION:
        raise ValueError(content["version"])
    known: dict[str, Credential] = {}
    for name, stored in content["credentials"].items():
        values = {}
        for key, written in stored["values"].items():
            ((kind, text),) = written.items()
            values[key] = SecretRef(kind, text)
        origins = tuple(origin_of(origin) for origin in stored["origins"])
        known[name] = Credential(name=name, type=stored["type"], values=values, origins=origins)
    return known
