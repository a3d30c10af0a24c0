"""What is measured, as values: a task, a tool, and what a tool needs to be started."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

__all__ = ["Command", "Task", "Tool", "requests_for"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Records to be carried.

    path: a JSONL file of `records` records; their texts make `payload_bytes` bytes without blanks and line
    breaks, of which the attribute to `exclude`, where one is named, takes `excluded_bytes`.
    url: of the server. batch: records a request carries, in the property `records`; 1: each record is a body of
    its own. in_flight: requests under way at once, for tools that are told. seconds: for tools that run for a time.
    server: which kind answers, see `server.Server`. for_memory: it is the peak that counts, not the time.
    """

    path: Path
    records: int
    payload_bytes: int
    batch: int
    exclude: str = ""
    excluded_bytes: int = 0
    url: str = ""
    in_flight: int = 16
    seconds: int = 3
    server: str = "plain"
    for_memory: bool = False

    @property
    def least_bytes(self) -> int:
        """Body bytes that the server must have received at least, when everything was sent."""
        return self.payload_bytes - (self.excluded_bytes if self.exclude else 0)


@dataclass(frozen=True, kw_only=True)
class Command:
    """How a tool is started, in a folder of its own that is thrown away. input: a file that it reads as standard input.

    for_a_time: it sends one body again and again for a time, and ends. stays: it does not end by itself and is ended
    when the server has received everything. tells: its last line of output is a JSON object with `records`,
    `requests`, `bytes` and `seconds` as it measured them itself; nothing is sent to the server.
    """

    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    input: Path | None = None
    for_a_time: bool = False
    stays: bool = False
    tells: bool = False


class Tool(Protocol):
    """Something that carries records. A module in `tools/` offers its tools as `TOOLS`."""

    @property
    def name(self) -> str:
        """What rows and pages call it."""
        ...

    def version(self) -> str:
        """The version that is installed; empty where the tool is absent."""
        ...

    def command(self, task: Task, folder: Path) -> Command:
        """How to start it for a task. It may write files of its own into `folder`."""
        ...


def requests_for(records: int, batch: int) -> int:
    """How many requests carry so many records."""
    return -(-records // batch)
