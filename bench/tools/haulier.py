"""Haulier itself: planning alone, and sending with each of its transports, with the ledger and without."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
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
        """As installed; the faster transport needs an extra."""
        return _installed("haulier") if self.transport != "http1" or _http1() else ""

    def command(self, task: Task, folder: Path) -> Command:
        """`haulier.send` in a process of its own, with its state in `folder`."""
        argv = [sys.executable, str(_CHILDREN / "send.py"), str(task.path), str(task.batch), task.url]
        argv += [str(folder / "state"), "--in-flight", str(task.in_flight), "--transport", self.transport]
        if task.exclude:
            argv += ["--exclude", task.exclude]
        if not self.ledger:
            argv.append("--without-ledger")
        return Command(argv=argv)


class BareHttp1:
    """A loop over the transport `http1` without checks, plan and ledger: what is left is Haulier's own work."""

    name = "bare http1"

    def version(self) -> str:
        """Of the parser it stands on."""
        return _http1()

    def command(self, task: Task, folder: Path) -> Command:
        """A process that sends all and ends."""
        del folder
        child = str(_CHILDREN / "http1_loop.py")
        return Command(
            argv=[sys.executable, child, str(task.path), str(task.batch), task.url, str(task.in_flight)]
        )


def _http1() -> str:
    """The version of the parser that the faster transport needs; empty where the one or the other is absent."""
    return _installed("httptools") if find_spec("haulier.io.transports.http1") else ""


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


TOOLS: tuple[Tool, ...] = (
    Planning(),
    Sending(name="haulier httpx", transport="httpx"),
    Sending(name="haulier httpx, ledger off", transport="httpx", ledger=False),
    Sending(name="haulier http1", transport="http1"),
    Sending(name="haulier http1, ledger off", transport="http1", ledger=False),
    BareHttp1(),
)
