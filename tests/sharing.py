"""What takes long to make and nobody changes is made once, however many workers share the tests of a module."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from typing import TypeVar

import pytest

__all__ = ["made_once"]

_Made = TypeVar("_Made")


def made_once(name: str, make: Callable[[], _Made], folders: pytest.TempPathFactory) -> _Made:
    """What `make` returns, which can be pickled: one worker makes it, the others wait for it and read it.

    name: of this thing, within these tests. Where `make` raises, the next one who asks tries it again.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make()
    kept = folders.getbasetemp().parent / f"{name}.pickle"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.exists():
            made: _Made = pickle.loads(kept.read_bytes())
            return made
        made = make()
        kept.write_bytes(pickle.dumps(made))
        return made
