"""What commands import when they run."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["importing"]

_PYDANTICS_PLUGINS = "pydantic.plugin._loader"


@contextmanager
def importing() -> Iterator[None]:
    """Import within: what that makes stays until the process ends, so no look for cycles goes through it, now or later.

    A command's imports make 50,000 objects, and looking through them again and again takes a twentieth of a preview.
    """
    _leave_out_plugins_of_pydantic()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _leave_out_plugins_of_pydantic() -> None:
    """Stand in for the module by which pydantic looks for plugins of its own, before it builds its first model.

    They watch what is validated, which serves the author of a program and nobody at a command line. The module brings
    mail, sockets and archives along, and looks through all that is installed: a tenth of a preview, also where
    pydantic is told by its setting to leave plugins out.
    """
    if _PYDANTICS_PLUGINS not in sys.modules:
        none = ModuleType(_PYDANTICS_PLUGINS)
        none.__dict__.update(get_plugins=tuple, __getattr__=_of_the_real_one)
        sys.modules[_PYDANTICS_PLUGINS] = none


def _of_the_real_one(name: str) -> Any:
    """What another version of pydantic may look for there besides."""
    if name.startswith("__"):  # asked for by the import itself
        raise AttributeError(name)
    del sys.modules[_PYDANTICS_PLUGINS]
    return getattr(import_module(_PYDANTICS_PLUGINS), name)
