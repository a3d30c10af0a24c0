"""Arguments of the Python API, held against what they may be before anything is done with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from haulier.errors import ConfigurationError
from haulier.model.closest import closest
from haulier.model.destination import Destination

__all__ = ["check_arguments", "check_more"]

_PATH = (str, os.PathLike)
_FLAG = ((bool,), "True or False")
_COUNT = ((int, type(None)), "a whole number")
_TEXT = ((str,), "a text")
_TEXT_OR_NONE = ((str, type(None)), "a text")
# Argument -> what it may be, for Python and for people. None stands for "left out" where it may.
_ALLOWED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "again": _FLAG,
    "base_url": _TEXT_OR_NONE,
    "credential": (
        (str, Mapping, type(None)),
        "the name of a stored credential, or a mapping of its values by field",
    ),
    "destination": ((Destination, Mapping, *_PATH), "a name, a path, a mapping or a Destination"),
    "follow": _FLAG,
    "format": _TEXT_OR_NONE,
    "leave_in_doubt": _FLAG,
    "limit": _COUNT,
    "id": _TEXT_OR_NONE,
    "lost": _FLAG,
    "on_delivery": ((Callable, type(None)), "a function of one argument"),
    "params": ((Mapping, type(None)), "a mapping of texts by name"),
    "reason": _TEXT,
    "records": ((*_PATH, type(None)), "the path of a file"),
    "resume": _TEXT_OR_NONE,
    "run": _TEXT,
    "run_key": _TEXT_OR_NONE,
    "state": ((*_PATH, type(None)), "the path of a folder"),
    "timeout_s": ((int, float, type(None)), "a number of seconds"),
}


def check_arguments(**given: Any) -> None:
    """Pass where each argument is of a type that it may be; ConfigurationError names it, never its value."""
    for name, value in given.items():
        types, what = _ALLOWED[name]
        if not isinstance(value, types):
            raise ConfigurationError(f"{name}: must be {what}, and not of type {type(value).__name__}")


def check_more(more: Collection[str], allowed: Collection[str]) -> None:
    """Pass where the arguments that a function hands on are those it may; ConfigurationError for any other."""
    for name in more:
        if name not in allowed:
            close = closest(name, [*allowed, *_ALLOWED])
            hint = f"did you mean `{close[0]}`?" if close else f"there are, too: {', '.join(allowed)}"
            raise ConfigurationError(f"there is no argument `{name}` here; {hint}")
