"""Who shares a limit: all runs of this project that send to one origin with one credential."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from haulier.io.shared_limit import SharedLimit
from haulier.runs.credentials.authority import Authority

__all__ = ["share_of"]

# No destination can have this name, so that its state folder is never this one.
_FOLDER = "_limits"


def share_of(base: Path, origin: str, authority: Authority) -> SharedLimit:
    """The limit of a credential at an origin, kept below `base`, the folder of all state."""
    settings = authority.credential.settings if authority.credential is not None else None
    values = (
        [] if settings is None else [getattr(settings, name) for name in sorted(type(settings).model_fields)]
    )
    secrets = [value.get_secret_value() if isinstance(value, SecretStr) else str(value) for value in values]
    return SharedLimit(base / _FOLDER, origin, secrets)
