"""Signals during a run: the first one stops it resumably, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from haulier.cli.printing import say
from haulier.cli.streams import results

__all__ = ["Interruption", "interruptible"]

_GRACE_S = 10.0


class _Stoppable(Protocol):
    def stop(self, reason: str) -> None: ...


class Interruption:
    """What came in. exit_code: 128 + the signal's number; 0 where none came."""

    def __init__(self, sitting: _Stoppable) -> None:
        self._sitting = sitting
        self.exit_code = 0

    def handle(self, number: int, _: FrameType | None) -> None:
        """First: stop, and wait a while for what is in flight. Again: end now, as the ledger holds all."""
        if self.exit_code:
            self._end()
        self.exit_code = 128 + number
        say(f"\n{signal.Signals(number).name}: finishing what is in flight; once more ends at once")
        self._sitting.stop(f"interrupted by {signal.Signals(number).name}")
        timer = threading.Timer(_GRACE_S, self._end)
        timer.daemon = True
        timer.start()

    def _end(self) -> None:
        say("ended; the same command goes on where the ledger stands")
        results().flush()
        os._exit(self.exit_code)


@contextmanager
def interruptible(sitting: _Stoppable) -> Iterator[Interruption]:
    """Install the handlers; only the command line does that, and only while it waits for a run."""
    interruption = Interruption(sitting)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interruption.handle) for number in numbers]
    try:
        yield interruption
    finally:
        for number, handler in zip(numbers, before, strict=True):
            # What was interrupted is about to end with its code: a late signal must not take that from it.
            signal.signal(number, signal.SIG_IGN if interruption.exit_code else handler)
