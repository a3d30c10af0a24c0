"""What workers that test beside each other share: a turn, and what takes long to make and nobody changes."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

__all__ = ["made_once", "one_at_a_time"]

_Made = TypeVar("_Made")


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Within, nobody else is within who names the same file; it is made."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made_once(name: str, make: Callable[[], _Made], folders: pytest.TempPathFactory) -> _Made:
    """What `make` returns, which can be pickled: one worker makes it, the others wait for it and read it.

    name: of this thing, within these tests. Where `make` raises, the next one who asks tries it again.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make()
    kept = folders.getbasetemp().parent / f"{name}.pickle"
    with one_at_a_time(kept.with_suffix(".lock")):
        if kept.exists():
            made: _Made = pickle.loads(kept.read_bytes())
            return made
        made = make()
        kept.write_bytes(pickle.dumps(made))
        return made
