"""One measurement: a tool carries a task to a fresh server, and what the server counted is compared with the task."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from processes import LOOK_S, Ended, Watch, run_child
from server import Received, Server
from task import Command, Task, Tool, requests_for

__all__ = ["MOST_OTHERS", "Measured", "WorkSkippedError", "measure"]

MOST_OTHERS = 0.10  # the share of the CPU that others may take before a measurement is done again
_LONGEST_S = 600.0
_OFTEN_S = 0.005  # else a process that ends soon has been small whenever it was looked at
_SPARE_REQUESTS = 0.01


class WorkSkippedError(Exception):
    """A tool failed, or the server did not receive what it was to send."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a tool did. rate: records a second; others: share of the CPU that others took meanwhile, 0 to 1."""

    rate: float
    seconds: float
    requests: int
    peak_bytes: int
    cpu_s: float
    others: float


def measure(tool: Tool, task: Task, folder: Path, *, times: int = 3) -> Measured:
    """Measure; again, up to so many `times` in all, while others take too much. The quietest one counts."""
    found: list[Measured] = []
    while len(found) < times:
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as own:
            Path(own).chmod(
                0o755
            )  # nginx drops its rights, and keeps a body in a file where two packets bring it
            found.append(_once(tool, task, Path(own)))
        if found[-1].others <= MOST_OTHERS:
            break
    return min(found, key=lambda measured: measured.others)


def _once(tool: Tool, task: Task, folder: Path) -> Measured:
    with Server(folder, task.server) as server:
        command = tool.command(replace(task, url=server.url), folder)
        needed = requests_for(task.records, task.batch)
        watch = Watch(server.pids)
        ended = run_child(
            command.argv,
            folder,
            timeout_s=_LONGEST_S,
            environment=command.environment | _trusting(server.certificate),
            given=command.input,
            done=(lambda: server.requests() >= needed) if command.stays else None,
            look_s=_OFTEN_S if task.for_memory else LOOK_S,
        )
        others = watch.others(ended.cpu_s)
        received = server.close()
    _check_end(tool, command, ended)
    if command.tells:
        return _told(tool, task, ended, others)
    _check_received(tool, task, command, received)
    records = received.requests * task.batch if command.for_a_time else task.records
    return Measured(
        rate=records / ended.seconds,
        seconds=ended.seconds,
        requests=received.requests,
        peak_bytes=ended.peak_bytes,
        cpu_s=ended.cpu_s,
        others=others,
    )


def _trusting(certificate: Path | None) -> dict[str, str]:
    """What makes OpenSSL, and with it every tool here, trust the server's certificate."""
    return {"SSL_CERT_FILE": str(certificate)} if certificate is not None else {}


def _check_end(tool: Tool, command: Command, ended: Ended) -> None:
    wanted = None if command.stays else 0
    if ended.code != wanted:
        said = (ended.errors or ended.output).strip().splitlines()[-5:]
        raise WorkSkippedError("\n  ".join((f"{tool.name} ended with {ended.code}", *said)))


def _check_received(tool: Tool, task: Task, command: Command, received: Received) -> None:
    """Raise WorkSkippedError unless the server received every record, and little more than every record once."""
    if command.for_a_time:
        body = task.least_bytes / task.records * task.batch
        if received.bytes < received.requests * body * 0.5:
            raise WorkSkippedError(
                f"{tool.name} sent {received.requests:,} requests in only {received.bytes:,} bytes"
            )
        return
    needed = requests_for(task.records, task.batch)
    most = needed * (1 + _SPARE_REQUESTS) + 8
    if not needed <= received.requests <= most:
        raise WorkSkippedError(
            f"{tool.name} sent {received.requests:,} requests where {needed:,} were needed"
        )
    if received.bytes < task.least_bytes:
        raise WorkSkippedError(
            f"{tool.name} sent {received.bytes:,} bytes; the records alone are {task.least_bytes:,} bytes"
        )


def _told(tool: Tool, task: Task, ended: Ended, others: float) -> Measured:
    told = json.loads(ended.output.splitlines()[-1])
    needed = requests_for(task.records, task.batch)
    if (told["records"], told["requests"]) != (task.records, needed) or told["bytes"] < task.least_bytes:
        raise WorkSkippedError(f"{tool.name} made {told} of {task.records:,} records")
    return Measured(
        rate=told["records"] / told["seconds"],
        seconds=told["seconds"],
        requests=told["requests"],
        peak_bytes=ended.peak_bytes,
        cpu_s=ended.cpu_s,
        others=others,
    )
