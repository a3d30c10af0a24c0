"""From where a secret value is to the value, and from values to the settings of a credential type."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import msgspec
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from haulier.errors import CredentialError
from haulier.io.credentials.redact import Redactor, looks_secret
from haulier.io.project import shown
from haulier.model.closest import closest
from haulier.model.fault_words import fault_words
from haulier.model.parts import CredentialType, Settings

__all__ = ["RefKind", "ResolvedCredential", "SecretRef", "check_fields", "resolve_values"]

RefKind: TypeAlias = Literal["literal", "env", "file"]

_MAX_BYTES = 64 * 1024


class SecretRef(msgspec.Struct, frozen=True):
    """Where a value is. text: the value itself (`literal`), an environment variable, or an absolute path."""

    kind: RefKind
    text: str

    def __post_init__(self) -> None:
        if self.kind not in get_args(RefKind) or not isinstance(self.text, str):
            raise ValueError("a value is kept as literal, env or file")

    def __repr__(self) -> str:
        return f"SecretRef({self.place!r})"

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Read `env:NAME` and `file:PATH` (from the current folder) as references, all else as the value."""
        kind, colon, rest = text.partition(":")
        if colon and kind == "env":
            return cls("env", rest)
        if colon and kind == "file":
            return cls("file", str(Path(rest).expanduser().absolute()))
        return cls("literal", text)

    @property
    def place(self) -> str:
        """Where the value is, for people: `stored`, `env:NAME` or `file:PATH`."""
        return "stored" if self.kind == "literal" else f"{self.kind}:{self.text}"


class ResolvedCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential with its values at hand. settings: an instance of the type's settings model."""

    name: str
    type: str
    settings: Settings
    origins: tuple[str, ...]

    def __repr__(self) -> str:
        # Settings of a stranger's type may hold as plain text what should have been typed as secret.
        return f"ResolvedCredential(name={self.name!r}, type={self.type!r}, origins={self.origins!r})"

    def secrets(self) -> tuple[str, ...]:
        """The secret values themselves, for a `Redactor` and nothing else."""
        values = (getattr(self.settings, key) for key in type(self.settings).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))


def check_fields(name: str, credential_type: CredentialType, values: Mapping[str, SecretRef]) -> None:
    """Pass where `values` can be a credential of this type: all its fields are there, and no others.

    Values that are at hand are checked too; references are followed when the credential is used, not before.
    """
    fields = credential_type.settings.model_fields
    for key in values:
        if key not in fields:
            close = closest(key, fields)
            hint = f"did you mean `{close[0]}`?" if close else f"its values: {', '.join(fields) or 'none'}"
            raise CredentialError(f"credential `{name}`: type {credential_type.name} has no `{key}`; {hint}")
    missing = [key for key, settings in fields.items() if settings.is_required() and key not in values]
    if missing:
        raise CredentialError(f"credential `{name}`: type {credential_type.name} needs {', '.join(missing)}")
    literals = {key: _value(name, key, ref) for key, ref in values.items() if ref.kind == "literal"}
    if len(literals) == len(values):
        _settings(name, credential_type, literals)


def resolve_values(
    name: str, credential_type: CredentialType, values: Mapping[str, SecretRef], origins: tuple[str, ...]
) -> ResolvedCredential:
    """Follow references and return a credential ready for use; raises CredentialError for what is missing."""
    check_fields(name, credential_type, values)
    read = {key: _value(name, key, ref) for key, ref in values.items()}
    settings = _settings(name, credential_type, read)
    return ResolvedCredential(name=name, type=credential_type.name, settings=settings, origins=origins)


def _settings(name: str, credential_type: CredentialType, values: Mapping[str, str]) -> Settings:
    try:
        return credential_type.settings.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
    # Outside the handler: what was validated is no part of the traceback.
    fields = credential_type.settings.model_fields.items()
    secret = [values[key] for key, field in fields if key in values and _is_secret(key, field)]
    where = ".".join(map(str, found["loc"])) or "values"
    said = fault_words(found)
    raise CredentialError(f"credential `{name}`, {where}: {Redactor(secret)(said)}")


def _is_secret(key: str, field: FieldInfo) -> bool:
    """Whether a field is typed as secret, or is called as secrets are."""
    return "Secret" in str(field.annotation) or looks_secret(key)


def _value(name: str, key: str, ref: SecretRef) -> str:
    where = f"credential `{name}`, {key}"
    text = ref.text
    if ref.kind == "env":
        found = os.environ.get(ref.text)
        if found is None:
            raise CredentialError(
                f"{where}: the environment variable {ref.text or '(no name)'} is not set; set it"
            )
        text = found
    elif ref.kind == "file":
        text = _file_text(where, Path(ref.text))
    if not text:
        raise CredentialError(f"{where}: the value ({ref.place}) is empty")
    if any(sign in text for sign in "\r\n\0"):
        raise CredentialError(
            f"{where}: the value ({ref.place}) has a line break or NUL in it; it must be one line"
        )
    return text


def _file_text(where: str, path: Path) -> str:
    """The text of a secret file without the line break at its end."""
    try:
        # Without O_NONBLOCK a pipe nobody writes to would hang here.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CredentialError(f"{where}: {shown(path)} is no regular file")
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise CredentialError(f"{where}: the file {shown(path)} cannot be read: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise CredentialError(
            f"{where}: {shown(path)} is larger than {_MAX_BYTES:,} bytes; is it the right file?"
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise CredentialError(f"{where}: {shown(path)} is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")
