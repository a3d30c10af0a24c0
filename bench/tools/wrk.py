"""wrk: the same body again and again, written in C. No tool that reads, plans and remembers can be faster."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from processes import program, told_by
from task import Command, Task, Tool

__all__ = ["TOOLS"]

_SCRIPT = """\
local file = io.open("body.json", "rb")
wrk.body = file:read("*a")
file:close()
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
"""


class Wrk:
    """Takes the first body of a task for all."""

    name = "wrk"

    def version(self) -> str:
        """As `wrk -v` has it."""
        told = told_by("wrk", "-v").split()
        return told[1].removeprefix("debian/") if told else ""

    def command(self, task: Task, folder: Path) -> Command:
        """One thread: it and nginx have a core each."""
        with task.path.open("rb") as file:
            lines = [line.rstrip(b"\n") for line in islice(file, task.batch)]
        body = lines[0] if task.batch == 1 else b'{"records":[' + b",".join(lines) + b"]}"
        (folder / "body.json").write_bytes(body)
        (folder / "body.lua").write_text(_SCRIPT)
        argv = [
            program("wrk"),
            "-t1",
            f"-c{task.in_flight}",
            f"-d{task.seconds}s",
            "-s",
            "body.lua",
            task.url,
        ]
        return Command(argv=argv, for_a_time=True)


TOOLS: tuple[Tool, ...] = (Wrk(),)
