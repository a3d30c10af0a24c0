"""Haulier itself: planning alone, and sending with each of its transports, with the ledger and without."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from task import Command, Task, Tool

__all__ = ["TOOLS"]

_CHILDREN = Path(__file__).resolve().parent.parent / "children"


class Planning:
    """A file to requests on one core; nothing is sent."""

    name = "haulier planning"

    def version(self) -> str:
        """As installed."""
        return _installed("haulier")

    def command(self, task: Task, folder: Path) -> Command:
        """It tells its own figures, so that the start of Python is not in them."""
        del folder
        argv = [sys.executable, str(_CHILDREN / "plan.py"), str(task.path), str(task.batch)]
        if task.exclude:
            argv += ["--exclude", task.exclude]
        return Command(argv=argv, tells=True)


@dataclass(frozen=True, kw_only=True)
class Sending:
    """The whole way: read, plan, commit, send, judge. ledger False: each window counts as durable at once."""

    name: str
    transport: str
    ledger: bool = True

    def version(self) -> str:
        """As installed."""
        return _installed("haulier")

    def command(self, task: Task, folder: Path) -> Command:
        """`haulier.send` in a process of its own, with its state in `folder`."""
        argv = [sys.executable, str(_CHILDREN / "send.py"), str(task.path), str(task.batch), task.url]
        argv += [str(folder / "state"), "--in-flight", str(task.in_flight), "--transport", self.transport]
        if task.exclude:
            argv += ["--exclude", task.exclude]
        if not self.ledger:
            argv.append("--without-ledger")
        return Command(argv=argv)


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


TOOLS: tuple[Tool, ...] = (
    Planning(),
    Sending(name="haulier httpx", transport="httpx"),
    Sending(name="haulier httpx, ledger off", transport="httpx", ledger=False),
)
