"""What goes wrong with an emulator itself; imports nothing of the extra, so it can say what is missing."""

from __future__ import annotations

from importlib.util import find_spec

from haulier.errors import ConfigurationError

NEEDED = ("starlette", "uvicorn", "h11", "python_multipart")
INSTALL = "pip install 'haulier[emulator]'"


class EmulatorError(ConfigurationError):
    """An emulator was asked for something that does not hold: a fault, a limit, a time, an address."""


class MissingExtraError(EmulatorError, ImportError):
    """The extra `emulator` is not installed."""


def require_extra() -> None:
    """Raise MissingExtraError naming what is missing and the command that installs it."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"an emulator needs {', '.join(missing)}, which is not installed: {INSTALL}")
