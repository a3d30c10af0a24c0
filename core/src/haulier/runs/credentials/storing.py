"""Storing credentials: which values one needs, and where they come from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import msgspec
from pydantic import SecretStr

from haulier.errors import CredentialError
from haulier.io.accounts import AccountBook
from haulier.io.credentials import Credential, CredentialStore, SecretRef, StoredRow
from haulier.io.project import Project
from haulier.model.parts import CredentialType
from haulier.runs.resolving.builtins import load_registry

__all__ = ["Field", "Form", "credential_form", "forget_credential", "store_credential", "stored_credentials"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a credential. variable: the environment variable it is taken from when asked to."""

    name: str
    description: str
    secret: bool
    required: bool
    default: str
    variable: str


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What a credential type asks for. name: offered for the credential; needs_origin: none is known for the type."""

    type: CredentialType
    name: str
    fields: tuple[Field, ...]
    needs_origin: bool

    def from_environment(self) -> dict[str, SecretRef]:
        """References to the variables that are set now, for all fields; CredentialError names a missing one."""
        found = {}
        for field in self.fields:
            if field.variable in os.environ:
                found[field.name] = SecretRef("env", field.variable)
            elif field.required:
                raise CredentialError(
                    f"the environment variable {field.variable} is not set; set it, or give the value another way"
                )
        return found


def credential_form(word: str) -> Form:
    """What to ask for a credential of a type, or for a connector's own type.

    ConfigurationError for an unknown word, CredentialError for a connector that needs no certain type.
    """
    registry = load_registry()
    if word in registry.credential_types or word not in registry.connectors:
        kind = registry.credential_type(word)
    else:
        wanted = registry.connector(word).credential_type
        if wanted in ("", "none"):
            can = ", ".join(sorted(set(registry.credential_types) - {"none"}))
            told = "needs no credential" if wanted else f"takes a credential of any type; name one: {can}"
            raise CredentialError(f"connector {word} {told}")
        kind = registry.credential_type(wanted)
    fields = tuple(
        Field(
            name=name,
            description=field.description or "",
            secret=field.annotation is SecretStr,
            required=field.is_required(),
            default="" if field.is_required() else str(field.default),
            variable=_variable(kind.name, name),
        )
        for name, field in kind.settings.model_fields.items()
    )
    return Form(type=kind, name=word, fields=fields, needs_origin=not kind.origins)


def store_credential(
    form: Form,
    *,
    name: str | None,
    values: Mapping[str, str | SecretRef],
    origins: Sequence[str] = (),
    replace: bool = False,
) -> Credential:
    """Store a credential in the project of the current folder."""
    path = Project.find().credentials
    store = CredentialStore(path)
    AccountBook(path).forget(name or form.name)
    return store.add(name or form.name, form.type, values, origins, replace=replace)


def stored_credentials() -> tuple[StoredRow, ...]:
    """What is stored in the project of the current folder, without values."""
    return CredentialStore(Project.find().credentials).list()


def forget_credential(name: str) -> None:
    """Remove a stored credential."""
    path = Project.find().credentials
    CredentialStore(path).remove(name)
    AccountBook(path).forget(name)


def _variable(kind: str, field: str) -> str:
    """`IMAGGA_API_KEY` for the field `api_key` of the type `imagga`."""
    return f"{kind}_{field}".upper().replace("-", "_")
