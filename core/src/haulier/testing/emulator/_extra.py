"""Says which extra is missing; imported first, so that nobody meets a bare `No module named 'starlette'`."""

from __future__ import annotations

from importlib.util import find_spec

from haulier.errors import ConfigurationError

NEEDED = ("starlette", "uvicorn", "h11", "python_multipart")
INSTALL = "pip install 'haulier[emulator]'"


class MissingExtraError(ConfigurationError, ImportError):
    """The extra `emulator` is not installed."""


def require_extra() -> None:
    """Raise MissingExtraError naming what is missing and the command that installs it."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"an emulator needs {', '.join(missing)}, which is not installed: {INSTALL}")
