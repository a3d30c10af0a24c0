"""How what a run needs is imported, in programs of other people: without looking for cycles in it on the way."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["importing", "look_for_pydantics_plugins_by"]

_IMPORTED_LAST = "haulier.runs.sittings.ordering"
_PYDANTICS_PLUGINS = "pydantic.plugin._loader"
_VARIABLE = "PYDANTIC_DISABLE_PLUGINS"
_NONE = ("__all__", "1", "true")  # by which it leaves out all of them


@contextmanager
def importing() -> Iterator[None]:
    """Import within what a run needs; later, when that is there, it does nothing.

    Nothing is looked through for cycles meanwhile. What is there at its end is as old to the collector as what it has
    looked through often: it is looked through with all that is old, cycles of the program around us included.
    """
    if _IMPORTED_LAST in sys.modules:
        yield
        return
    if os.environ.get(_VARIABLE) in _NONE:
        look_for_pydantics_plugins_by(_pydantics_plugins)
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if hasattr(gc, "freeze") and not gc.get_freeze_count():  # what somebody has set aside stays there
            gc.freeze()
            gc.unfreeze()  # which puts everything where the oldest is, and looks at nothing
        gc.enable()


def look_for_pydantics_plugins_by(look: Callable[[], Any]) -> None:
    """Stand in for the module by which pydantic looks for plugins of its own, before it builds its first model.

    They watch what is validated. The module brings mail, sockets and archives along, and looks through all that is
    installed: a tenth of a preview, also where pydantic is told by its setting to leave plugins out.
    """
    if _PYDANTICS_PLUGINS not in sys.modules:
        stand_in = ModuleType(_PYDANTICS_PLUGINS)
        stand_in.__dict__.update(get_plugins=look, __getattr__=_of_the_real_one)
        sys.modules[_PYDANTICS_PLUGINS] = stand_in


def _pydantics_plugins() -> Any:
    """As pydantic's own does: the environment may say something else by now."""
    return () if os.environ.get(_VARIABLE) in _NONE else _of_the_real_one("get_plugins")()


def _of_the_real_one(name: str) -> Any:
    """What another version of pydantic may look for there besides."""
    if name.startswith("__"):  # asked for by the import itself
        raise AttributeError(name)
    sys.modules.pop(_PYDANTICS_PLUGINS, None)
    return getattr(import_module(_PYDANTICS_PLUGINS), name)
