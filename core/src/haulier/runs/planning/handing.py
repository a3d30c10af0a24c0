"""Handing a process that plans its task; it imports no asyncio, as that is done before anything that carries a run out
is there.
"""

from __future__ import annotations

import pickle
import socket
import sys

from haulier.runs.planning.beginning import SLOT_BYTES, Begun, version
from haulier.runs.planning.frames import LENGTH
from haulier.runs.planning.worker import Task

__all__ = ["give", "tell"]


def give(begun: Begun, task: Task) -> bool:
    """Have it plan this; False where the task cannot be handed to another process."""
    try:
        packed = pickle.dumps((version(), tuple(sys.path), pickle.dumps(task)))
    except Exception:  # noqa: BLE001 - a plugin's function without a name of its own, or what its settings do
        return False
    if len(packed) > SLOT_BYTES:
        return False
    begun.memory[: len(packed)] = packed
    return tell(begun.freed, LENGTH.pack(len(packed)))


def tell(freed: socket.socket, what: bytes) -> bool:
    """Whether a process that plans hears this."""
    try:
        freed.sendall(what, socket.MSG_NOSIGNAL)  # a program may let itself be ended by SIGPIPE
    except OSError:
        return False
    return True
