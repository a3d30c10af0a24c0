"""Processes and what they cost, from the kernel's own counts: https://man7.org/linux/man-pages/man5/proc.5.html"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOOK_S", "Ended", "Watch", "cpu_of", "inherited", "program", "run_child", "told_by"]

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_POLL_S = 0.005
_STOP_S = 10
# At the memory of what a command began: each look takes a third of a millisecond from what is timed.
LOOK_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A process that ended. seconds: from its start to its end, or to the moment its work was seen to be done.

    cpu_s: of the process and those it waited for. peak_bytes: of the process, and of those it began what they
    had for themselves alone, as far as looks show. code None: it was ended by us.
    """

    seconds: float
    cpu_s: float
    peak_bytes: int
    code: int | None
    output: str
    errors: str


def run_child(
    argv: Sequence[str],
    folder: Path,
    *,
    timeout_s: float,
    environment: Mapping[str, str],
    given: Path | None = None,
    done: Callable[[], bool] | None = None,
    look_s: float = LOOK_S,
) -> Ended:
    """Run a command to its end in `folder`; where `done` is given, end it once that says so.

    given: a file as its standard input, which is empty otherwise. look_s: how often to look at the memory of processes
    that it began, seconds.

    A command that takes longer than `timeout_s` is ended; TimeoutError.
    """
    out, err = folder / "stdout", folder / "stderr"
    _forget_own_peak()
    with out.open("wb") as stdout, err.open("wb") as stderr, (given or Path(os.devnull)).open("rb") as stdin:
        began = time.perf_counter()
        process = subprocess.Popen(
            argv,
            cwd=folder,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**inherited(), **environment},
        )
    try:
        seen_done, usage, together = _wait(process, began + timeout_s, done, look_s)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Ended(
        seconds=(seen_done or time.perf_counter()) - began,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=max(usage.ru_maxrss * 1024, together),
        code=process.returncode if seen_done is None else None,
        output=out.read_text(errors="replace"),
        errors=err.read_text(errors="replace"),
    )


def _forget_own_peak() -> None:
    """A child begins with the peak of its parent as its own; so ours becomes what we take now.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
    """
    with suppress(OSError):  # where it is not allowed, small tools seem to take what we took
        Path("/proc/self/clear_refs").write_text("5")


def _wait(
    process: subprocess.Popen[bytes], give_up_at: float, done: Callable[[], bool] | None, look_s: float
) -> tuple[float | None, resource.struct_rusage, int]:
    """(when its work was seen to be done and it was ended for that, if so; what it used; see `_Memory`)."""
    seen_done: float | None = None
    looked, memory = 0.0, _Memory(process.pid)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)  # waited for here, not by subprocess
            return seen_done, usage, memory.together
        now = time.perf_counter()
        if now - looked >= look_s:
            looked = now
            memory.look()
        if now > give_up_at:
            raise TimeoutError(f"{process.args!r} did not end in time")
        if seen_done is None and done is not None and done():
            seen_done = time.perf_counter()
            give_up_at = seen_done + _STOP_S
            process.terminate()
        time.sleep(_POLL_S)


class _Memory:
    """together: the peak of a process that began others, and beside that the most that these had for themselves alone.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html
    """

    def __init__(self, process: int) -> None:
        self._process = process
        self._beside = 0
        self.together = 0

    def look(self) -> None:
        """Look at what there is now; 0 where there are no others, or the system does not tell."""
        with suppress(OSError):  # a process, or a thread, that has ended meanwhile
            told = [path.read_text() for path in Path(f"/proc/{self._process}/task").glob("*/children")]
            children = [child for one in told for child in one.split()]
            private = sum(_kilobytes(f"/proc/{child}/smaps_rollup", "Private_") for child in children)
            self._beside = max(self._beside, private)
            if self._beside:
                own = _kilobytes(f"/proc/{self._process}/status", "VmHWM:")
                self.together = max(self.together, (own + self._beside) * 1024)


def _kilobytes(path: str, start: str) -> int:
    return sum(int(line.split()[1]) for line in Path(path).read_text().splitlines() if line.startswith(start))


def inherited() -> dict[str, str]:
    """The environment for what is measured: as it is here, but modules are compiled, as nearly everybody has them."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def program(name: str) -> str:
    """Where a program is; empty where it is absent. Daemons are found too, whoever asks."""
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"))
    return shutil.which(name, path=places) or ""


def told_by(name: str, *arguments: str) -> str:
    """What a program prints; empty where it is absent."""
    path = program(name)
    if not path:
        return ""
    told = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    return told.stdout + told.stderr


class Watch:
    """How much of the machine's CPU went to others while this bench measured; steal counts as theirs."""

    def __init__(self, server_pids: Sequence[int]) -> None:
        self._server_pids = server_pids
        self._began = time.perf_counter()
        self._busy = _busy_s()
        self._ours = self._own_s()

    def others(self, child_cpu_s: float) -> float:
        """Their share since the start, 0 to 1; `child_cpu_s` went to children that have ended meanwhile."""
        elapsed = (time.perf_counter() - self._began) * (os.cpu_count() or 1)
        others = _busy_s() - self._busy - (self._own_s() - self._ours) - child_cpu_s
        return min(1.0, max(0.0, others / elapsed))

    def _own_s(self) -> float:
        return time.process_time() + sum(map(cpu_of, self._server_pids))


def cpu_of(pid: int) -> float:
    """CPU seconds of a running process; 0 where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def _busy_s() -> float:
    """CPU seconds of all cores since boot that were neither idle nor waiting for a disk."""
    with Path("/proc/stat").open() as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * _TICK_S
