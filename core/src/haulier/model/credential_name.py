"""How a call names its credential, or says that it has none."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator

__all__ = ["NO_CREDENTIAL", "CredentialName"]

# What a call writes that has no credential, whatever stands beside its stages; no credential is stored by this name.
NO_CREDENTIAL = "none"
_TAKEN_FOR_NONE = (False, True, "", "no", "false", "null")


def _named(value: Any) -> Any:
    if value in _TAKEN_FOR_NONE:
        raise ValueError(f"must be the name of a stored credential, or `{NO_CREDENTIAL}` for a call without")
    return value


CredentialName: TypeAlias = Annotated[str, BeforeValidator(_named)]
