"""A limit that all processes of this host share which use one credential: a small file under a lock.

Each request takes its turn in the file, so that all of them together keep to the limit. Whoever dies leaves nothing
behind that others would wait for.
"""

from __future__ import annotations

import hmac
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from haulier.delivery.spacing import Spacing
from haulier.io.project import private_folder

__all__ = ["SharedLimit"]

_SALT_BYTES = 32
_LONGEST_S = 86_400.0


class _State(msgspec.Struct):
    """Times of this machine's monotonic clock, which all its processes read alike."""

    next_start: float = 0.0
    not_before: float = 0.0


class SharedLimit:
    """folder: for the files, made where it is missing. origin, secrets: what those who share have in common.

    The file is named by a keyed hash, from which neither can be told. Nothing is opened before the first turn.
    """

    def __init__(self, folder: Path, origin: str, secrets: Iterable[str]) -> None:
        self._folder = folder
        self._whose = "\0".join((origin, *secrets)).encode()
        self._file: int | None = None

    def turn(self, interval_s: float) -> float:
        """Take the next turn: 0 where it is now, else the seconds after which to ask again."""
        with self._locked() as file:
            if file is None:
                return 0.0
            now, state = time.monotonic(), _read(file)
            spacing = Spacing(_sane(state.next_start, now, 60 + 10 * interval_s))
            wait = max(spacing.next_start, _sane(state.not_before, now, _LONGEST_S)) - now
            if wait <= 0:
                spacing.started(now, interval_s)
                _write(file, _State(spacing.next_start, state.not_before))
            return max(0.0, wait)

    def asked(self, wait_s: float) -> None:
        """The service asked to be left alone: nobody takes a turn before."""
        with self._locked() as file:
            if file is not None:
                state = _read(file)
                now = time.monotonic()
                until = max(_sane(state.not_before, now, _LONGEST_S), now + wait_s)
                _write(file, _State(state.next_start, until))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextmanager
    def _locked(self) -> Iterator[int | None]:
        if sys.platform == "win32":  # pragma: no cover - not tested on Windows, as the docs say
            yield None
            return
        if self._file is None:
            self._file = self._open()
        with _lock(self._file):
            yield self._file

    def _open(self) -> int:
        folder = private_folder(self._folder)
        salt = os.open(folder / "salt", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with _lock(salt):
                key = os.pread(salt, _SALT_BYTES, 0)
                if len(key) < _SALT_BYTES:
                    key = os.urandom(_SALT_BYTES)
                    os.pwrite(salt, key, 0)
        finally:
            os.close(salt)
        name = hmac.new(key, self._whose, sha256).hexdigest()[:32]
        return os.open(folder / f"{name}.json", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _sane(moment: float, now: float, most_s: float) -> float:
    """A moment, unless it is one of before the machine was started anew."""
    return moment if moment <= now + most_s else 0.0


def _read(file: int) -> _State:
    try:
        return msgspec.json.decode(os.pread(file, 200, 0), type=_State)
    except msgspec.DecodeError:
        return _State()  # new, or of a process that was killed while it wrote


def _write(file: int, state: _State) -> None:
    os.pwrite(file, msgspec.json.encode(state).ljust(80), 0)


if sys.platform != "win32":
    import fcntl

    @contextmanager
    def _lock(file: int) -> Iterator[None]:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
