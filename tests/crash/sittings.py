"""Sittings in processes of their own, which begin at once and can be killed at any instant."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.crash.seams import PHASES, STAGE, phase_of

REPOSITORY = Path(__file__).parents[2]


class Sitting:
    """One sitting under way. phase: where it was when it was killed; report: where it came to its end."""

    def __init__(self, nursery: Nursery, pid: int, note: Path, answer: Path) -> None:
        self._nursery = nursery
        self._note = note
        self._answer = answer
        self.pid = pid
        self.phase = ""
        self.report: dict[str, Any] | None = None

    @property
    def over(self) -> bool:
        """Whether it came to its end by itself."""
        return self._answer.exists()

    def reached(self, phase: str) -> bool:
        """Whether it is in this phase, or beyond."""
        return self.over or self._note.read_bytes()[STAGE] >= PHASES.index(phase)

    def wait(self, holds: Callable[[], object], seconds: float) -> None:
        """Wait until something holds, it is over, or so long."""
        until = time.monotonic() + seconds
        while not holds() and not self.over and time.monotonic() < until:
            time.sleep(0.0005)

    def kill(self) -> None:
        """End it now, whatever it does."""
        with suppress(ProcessLookupError):  # it ended this very instant
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> bool:
        """Wait for its end; whether it was killed. What it raised is raised here."""
        code = self._nursery.answered()["code"]
        if code == -signal.SIGKILL:
            self.phase = phase_of(self._note.read_bytes())
            return True
        text = self._answer.read_text()
        assert code == 0, text
        self.report = json.loads(text)
        return False


class Nursery:
    """A process with everything imported, that makes a copy of itself for each sitting."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.carrier", "--serve"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def begin(self, folder: Path, orders: dict[str, Any]) -> Sitting:
        """A sitting in this folder; one at a time."""
        note, answer = folder / "note", folder / "answer"
        note.write_bytes(bytes(3))
        answer.unlink(missing_ok=True)
        assert self._process.stdin is not None
        told = {**orders, "folder": str(folder), "note": str(note), "answer": str(answer)}
        print(json.dumps(told), file=self._process.stdin, flush=True)
        return Sitting(self, self.answered()["pid"], note, answer)

    def answered(self) -> dict[str, Any]:
        """The next thing it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the carrier ended with {self._process.wait(5)}"
        found: dict[str, Any] = json.loads(line)
        return found
