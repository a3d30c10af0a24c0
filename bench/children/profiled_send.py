"""`send.py` under cProfile, in the thread of the run's event loop; the arguments of `send.py`, after how many lines.

profiled_send.py LINES ARGUMENTS...

The reader's and the ledger's threads are not looked into: they show as the time that the loop's thread waits for the
interpreter, which cProfile books on whatever it was about to do.
"""

from __future__ import annotations

import cProfile
import pstats
import sys

import send

from haulier.runs.driving.loop import LoopThread


def main() -> None:
    """Send, then print the functions that took longest by themselves."""
    lines = int(sys.argv.pop(1))
    profile = cProfile.Profile()
    plain = LoopThread._run  # noqa: SLF001 - a profile belongs to one thread, and this is the run's

    def profiled(thread: LoopThread[object]) -> None:
        profile.enable()
        try:
            plain(thread)
        finally:
            profile.disable()

    LoopThread._run = profiled  # type: ignore[method-assign]  # noqa: SLF001
    send.main()
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(lines)


if __name__ == "__main__":
    main()
