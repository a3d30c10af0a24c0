"""The program of a planner's process: told what to plan, it says what comes of it, block by block, and ends.

It imports little, as each start waits for that. It ends by itself when the run lets go of the pipes, or is gone.
"""

from __future__ import annotations

import gc
import mmap
import os
import pickle
import select
import sys
import time
from _thread import start_new_thread
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import msgspec

from haulier.errors import HaulierError
from haulier.io.readers.input_hash import InputHash
from haulier.model.block import Block
from haulier.pipeline.planner import Planned, Planner
from haulier.pipeline.spec import PlanSpec
from haulier.runs.inputs.intake import Intake
from haulier.runs.planning.beginning import MEMORY_BYTES, SLOT_BYTES, SLOTS, version
from haulier.runs.planning.frames import LENGTH, Failed, Frame, framed, place, rows_of

__all__ = ["READY", "Task", "main"]

READY = b"ready"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be planned: a file, how it is read and hashed, and the plan. which: device and inode of the file: a
    path such as `/dev/stdin` is another one in another process.
    """

    path: str
    which: tuple[int, int]
    format: str | None
    hashed_by: InputHash
    spec: PlanSpec


class _RunIsGone(Exception):
    """Nobody reads what is said any more."""


class _Room:
    """The slots of the shared memory, each free again when the run has taken what was in it."""

    def __init__(self, memory: mmap.mmap, freed: int) -> None:
        self._memory = memory
        self._freed = freed
        self._free = SLOTS
        self._next = 0
        self._hearing = select.poll()
        self._hearing.register(freed, select.POLLIN)

    @property
    def crowded(self) -> bool:
        """Whether more than half of them are taken: then the run has more to do than whoever plans for it."""
        while self._hearing.poll(0):
            self._hear()
        return self._free < SLOTS // 2

    def put(self, pieces: Sequence[bytes]) -> None:
        """Into the next slot, once it is free."""
        while not self._free:
            self._hear()
        self._free -= 1
        place(pieces, self._memory, self._next)
        self._next = (self._next + 1) % SLOTS

    def _hear(self) -> None:
        freed = os.read(self._freed, SLOTS)
        if not freed:
            raise _RunIsGone
        self._free += len(freed)


class _Teller:
    """Says what came of each block."""

    def __init__(self, told: int, room: _Room, planner: Planner) -> None:
        self._told = told
        self._room = room
        self._planner = planner

    def say(self, planned: Planned, block: Block | None) -> None:
        """What came of a block, or at the end of those that were held."""
        heads, rows, pieces = rows_of(planned.requests, hashed=self._room.crowded)
        size = sum(map(len, pieces))
        inline = size > SLOT_BYTES
        if pieces and not inline:
            self._room.put(pieces)
        frame = Frame(
            first=block.first if block is not None else 0,
            first_line=block.first_line if block is not None else None,
            count=len(block.lines) if block is not None else 0,
            held=self._planner.held(),
            digest=block.digest() if block is not None and block.digest is not None else b"",
            heads=heads,
            rows=rows,
            rejected=planned.rejected,
            remarks=self._planner.remarks(),
            size=size,
            inline=inline,
            last=block is None,
        )
        write(self._told, framed(frame))
        for piece in pieces if inline else ():
            write(self._told, piece)


def write(told: int, data: bytes) -> None:
    """All of it, however little the pipe takes at once; _RunIsGone where nobody reads."""
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(told, left) :]
    except BrokenPipeError:
        raise _RunIsGone from None


def main(told: int, freed: int, memory: int) -> None:
    """Plan. told: where frames are written; freed: where the task's length is read, and then a byte a free slot.

    memory: the shared memory, in which the task lies at first. Says that it is ready once it has understood the task;
    ends without a word where it cannot: then the run plans by itself.
    """
    try:
        # Each task speaks of it, and there may be none yet.
        import_module("haulier.runs.resolving.guarding")
        shared = mmap.mmap(memory, MEMORY_BYTES)
        length = os.read(freed, LENGTH.size)
        if len(length) < LENGTH.size:
            return  # it was not needed after all
        task = _understood(shared[: LENGTH.unpack(length)[0]])
        planner = Planner(task.spec)
    except Exception:  # noqa: BLE001 - whatever a module does that a plugin's function comes from
        return
    gc.freeze()
    gc.enable()
    start_new_thread(_end_with_the_run, (told,))
    with suppress(_RunIsGone):
        write(told, READY)
        _plan(task, planner, told, _Room(shared, freed))


def _understood(packed: bytes) -> Task:
    theirs, search, pickled = pickle.loads(packed)  # noqa: S301 - the run's own words
    sys.path[:] = search
    task: Task = pickle.loads(pickled)  # noqa: S301
    found = Path(task.path).stat()
    same = theirs == version() and task.which == (found.st_dev, found.st_ino)
    if not same or not task.hashed_by.installed:
        raise LookupError
    return task


def _end_with_the_run(told: int) -> None:
    """A plugin may take long over a block, and nobody is left whom it is for."""
    reader = select.poll()
    reader.register(told, 0)  # what is always looked for: that the other end is closed
    reader.poll()
    os._exit(0)


def _plan(task: Task, planner: Planner, told: int, room: _Room) -> None:
    try:
        teller = _Teller(told, room, planner)
        for block in Intake(task.path, format=task.format).blocks(task.hashed_by):
            teller.say(planner.advance(block, time.monotonic()), block)
        teller.say(planner.close(), None)
    except HaulierError as error:
        said = str(error).encode(errors="replace").decode()  # a file's name need be no text
        write(told, framed(Failed(type(error).__name__, said)))
