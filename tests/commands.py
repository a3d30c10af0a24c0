"""The command line, in copies of a process that has everything imported.

Of a command that prints or refuses something most of the time is Python's, importing. So one process imports it all,
and makes a copy of itself for each command: a process of its own, with its own folder, environment and streams, that
runs `haulier.cli.main` and ends as Python ends. What a command imports, how it begins and how signals end it is shown
by those tests that start one themselves.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["COMMAND", "run_command"]

REPOSITORY = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "haulier"]
_PACKAGES = ("haulier", "haulier_batching", "haulier_imagga")


def run_command(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: bytes, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[bytes]:
    """How `haulier WORDS` ended in this folder, with this environment and nothing else of ours.

    Where the environment has Python begin otherwise than here, it is begun. Raises TimeoutExpired after killing it.
    """
    if any(name.startswith("PYTHON") and value != os.environ.get(name) for name, value in env.items()):
        return subprocess.run(
            [*COMMAND, *words],
            cwd=cwd,
            env=env,
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    return _original().run(words, cwd=cwd, env=env, stdin=stdin, timeout_s=timeout_s)


@cache
def _original() -> Original:
    return Original()


class Original:
    """The process that copies are made of; it ends with the one that started it."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands", str(theirs.fileno())],
            cwd=REPOSITORY,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        atexit.register(self._end)

    def _end(self) -> None:
        self._orders.close()
        self._process.wait()

    def run(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: bytes, timeout_s: float
    ) -> subprocess.CompletedProcess[bytes]:
        orders = json.dumps({"words": [*words], "cwd": str(cwd), "env": {**env}}).encode()
        told, theirs = socket.socketpair()
        streams = [os.pipe() for _ in range(3)]
        copied = [streams[0][0], streams[1][1], streams[2][1], theirs.fileno()]
        with self._turn:
            socket.send_fds(self._orders, [len(orders).to_bytes(4)], copied)
            self._orders.sendall(orders)
        theirs.close()
        for descriptor in copied[:3]:
            os.close(descriptor)
        given = threading.Thread(target=_give, args=(streams[0][1], stdin))
        read = [_Reading(streams[1][0]), _Reading(streams[2][0])]
        for thread in (given, *read):
            thread.start()
        with told:
            pid = _number(told)
            try:
                told.settimeout(timeout_s)
                code = _number(told)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([*words], timeout_s) from None
            finally:
                for thread in (given, *read):
                    thread.join(timeout_s)
        return subprocess.CompletedProcess([*words], code, read[0].content, read[1].content)


class _Reading(threading.Thread):
    """Reads a pipe to its end."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self._descriptor = descriptor
        self.content = b""

    def run(self) -> None:
        with os.fdopen(self._descriptor, "rb") as file:
            self.content = file.read()


def _give(descriptor: int, content: bytes) -> None:
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except BrokenPipeError:  # a command need not read what it is given
        return


def _number(told: socket.socket) -> int:
    """The next number that a copy tells; an exit code may be below 0."""
    data = told.recv(4, socket.MSG_WAITALL)
    assert len(data) == 4, "the process that commands are copies of has ended"
    return int.from_bytes(data, signed=True)


# -- in the process that copies are made of -------------------------------------------------------------------------


def _import_all() -> None:
    """Whatever a command imports is there before it begins."""
    for package in _PACKAGES:
        found = import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    import_module("uvloop")


def _serve(orders: socket.socket) -> dict[str, Any] | None:
    """Make copies as they are ordered; returns in each copy, with what it is to do, and None at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for a copy ends by itself
    gc.collect()
    gc.freeze()
    while True:
        size, descriptors, _, _ = socket.recv_fds(orders, 4, 4)
        if not size:
            return None
        text = orders.recv(int.from_bytes(size), socket.MSG_WAITALL)
        if not os.fork():
            return _copy(json.loads(text), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _copy(found: dict[str, Any], descriptors: Sequence[int]) -> dict[str, Any]:
    """Returns in the copy itself; who made it tells its number and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        for descriptor in descriptors[:3]:
            os.close(descriptor)
        told = descriptors[3]
        os.write(told, pid.to_bytes(4, signed=True))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(told, code.to_bytes(4, signed=True))
        os._exit(0)
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    return found


def _begin(found: dict[str, Any]) -> None:
    """Be a command, from its first line to its exit code."""
    from haulier.cli import main

    os.chdir(found["cwd"])
    os.environ.clear()
    os.environ.update(found["env"])
    sys.path[0] = found["cwd"]
    sys.argv = ["haulier", *found["words"]]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the streams of this process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    main()


if __name__ == "__main__":
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        ordered = _serve(channel)
    if ordered is not None:
        _begin(ordered)
