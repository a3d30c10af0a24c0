"""Bare loops over httpx: what is left of its speed is what Haulier's own work costs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from task import Command, Task, Tool

__all__ = ["TOOLS"]

_CHILD = Path(__file__).resolve().parent.parent / "children" / "httpx_loop.py"


@dataclass(frozen=True, kw_only=True)
class BareHttpx:
    """way: `lanes` or `client`, see the child. in_flight: the best setting found, 0 for the task's."""

    name: str
    way: str
    in_flight: int = 0

    def version(self) -> str:
        """Of httpx."""
        try:
            return version("httpx")
        except PackageNotFoundError:
            return ""

    def command(self, task: Task, folder: Path) -> Command:
        """A process that sends all and ends."""
        del folder
        in_flight = str(self.in_flight or task.in_flight)
        argv = [sys.executable, str(_CHILD), str(task.path), str(task.batch), task.url, in_flight, self.way]
        return Command(argv=argv)


TOOLS: tuple[Tool, ...] = (
    BareHttpx(name="bare httpx lanes", way="lanes"),
    BareHttpx(name="bare httpx client", way="client", in_flight=2),
)
