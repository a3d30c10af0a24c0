"""Beginning a process that is to plan: first of all, as it takes longer than all that is looked at meanwhile.

It imports little: what a run needs is imported beside that process, not before it.
"""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from haulier.errors import ConfigurationError

__all__ = ["MEMORY_BYTES", "SLOTS", "SLOT_BYTES", "Begun", "begun", "planner_beside", "version"]

SLOTS = 16
SLOT_BYTES = 1 << 20  # of which pages are taken only as far as they are written
MEMORY_BYTES = SLOTS * SLOT_BYTES
_VARIABLE = "HAULIER_PLANNING"
_WAYS = ("here", "beside")
_LEAST_CORES = 2
_LEAST_BYTES = 16 << 20
_PACKED = 5  # times that records are longer than their gzip
_NAME = "haulier-planner"  # by which people find it among other processes
# Where it cannot begin, the run plans by itself, and nobody need be told.
_PROGRAM = """
import gc, signal, sys
gc.disable()
signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    from haulier.runs.planning.worker import main
except Exception:
    sys.exit(1)
main(*map(int, sys.argv[2:]))
"""


class Begun:
    """A process that waits for its task. told: where it is read; freed: where it is told of free slots of `memory`.

    given: the file whose plan it was handed: device, inode, size and when it was changed; None as long as it waits.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], told: int, freed: socket.socket, memory: mmap.mmap
    ) -> None:
        self.process = process
        self.told = told
        self.freed = freed
        self.memory = memory
        self.closed = False
        self.given: tuple[int, int, int, int] | None = None

    def close(self) -> None:
        """End it, however far it is; once more does nothing."""
        if not self.closed:
            self.closed = True
            os.close(self.told)
            self.freed.close()
            self.memory.close()
            self.process.kill()
            self.process.wait()


@contextmanager
def planner_beside(records: object, *, limit: object) -> Iterator[Begun | None]:
    """A process for the plan of these records, where they are so many that it pays, else None; it ends with the block.

    `HAULIER_PLANNING=here` in the environment keeps planning in this process, `beside` begins one for short files, too;
    any other word is a ConfigurationError. limit: how many are to be read, where not all are.
    """
    process = begun() if _pays(records) and limit is None else None
    try:
        yield process
    finally:
        if process is not None:
            process.close()


def _pays(records: object) -> bool:
    wish = os.environ.get(_VARIABLE, "")
    if wish and wish not in _WAYS:
        raise ConfigurationError(
            f"{_VARIABLE} is {wish!r} in the environment; it may be here or beside, or unset"
        )
    if wish == "here" or not isinstance(records, str | os.PathLike):
        return False
    return bool(wish) or (_cores() >= _LEAST_CORES and _bytes_of(records) >= _LEAST_BYTES)


def begun() -> Begun | None:
    """A process that waits for its task; None where there can be none: on Linux, of an interpreter that begins anew."""
    program = Path(sys.executable or "").name.lower()
    if (
        not hasattr(os, "memfd_create")
        or not program.startswith(("python", "pypy"))
        or hasattr(sys, "frozen")
    ):
        return None
    with ExitStack() as ours, ExitStack() as its:
        try:
            told, says = os.pipe()
            ours.callback(os.close, told)
            its.callback(os.close, says)
            freed, hears = socket.socketpair()
            ours.callback(freed.close)
            its.callback(hears.close)
            descriptor = os.memfd_create("haulier-planned")
            its.callback(os.close, descriptor)
            os.ftruncate(descriptor, MEMORY_BYTES)
            memory = ours.enter_context(mmap.mmap(descriptor, MEMORY_BYTES))
            process = _process(says, hears.fileno(), descriptor)
        except OSError:
            return None
        ours.pop_all()
    return Begun(process, told, freed, memory)


def _process(*descriptors: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, *_flags(), "-c", _PROGRAM, _NAME, *map(str, descriptors)],
        stdin=subprocess.DEVNULL,
        stdout=_stderr(),  # what a plugin prints is no result
        env={**os.environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"},  # looking for them takes a while
        pass_fds=descriptors,
        # Whoever interrupts the run at its terminal interrupts the run alone.
        start_new_session=True,
    )


def version() -> str:
    """Of this program, which may have been replaced on the disk since a process began."""
    told: str = sys.modules["haulier"].__version__
    return told


def _flags() -> list[str]:
    """What the interpreter was told about where modules come from; the current folder is never among them."""
    flags = ["-P"]
    if sys.flags.isolated:
        flags.append("-I")
    elif sys.flags.ignore_environment:
        flags.append("-E")
    if sys.flags.no_user_site:
        flags.append("-s")
    return flags


def _stderr() -> int:
    """Where errors go; nowhere, where that is closed."""
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _bytes_of(path: str | os.PathLike[str]) -> int:
    """Of the records of a file, as far as its size tells."""
    try:
        size = Path(path).stat().st_size
    except (OSError, TypeError, ValueError):
        return 0  # whoever opens it says so
    return size * _PACKED if os.fspath(path).lower().endswith(".gz") else size
