"""B16: memory is flat, however long the input is. Measured in a process of its own, ledger on, against a real server.

`HAULIER_FULL=1` carries the million records of the promise; else fewer are carried, and held to the same bounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.support import Project

FULL = os.environ.get("HAULIER_FULL") == "1"
FEW, MANY = 10_000, 1_000_000 if FULL else 200_000
MOST_MB = 100
# What may be added between the two: the ledger's page cache fills up, no more.
FLAT_MB = 15

# On Linux VmHWM, as ru_maxrss of a process begins at what the process it was forked from had in memory
# (https://man7.org/linux/man-pages/man5/proc_pid_status.5.html); elsewhere ru_maxrss, in bytes on macOS.
CARRIER = """
import json, re, resource, sys
from pathlib import Path
import haulier

report = haulier.send(sys.argv[1], sys.argv[2])
status = Path("/proc/self/status")
if status.exists():
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) / 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
print(json.dumps({**report.to_dict(), "peak_mb": peak}))
"""


class Counter(asyncio.Protocol):
    """Answers 200 to each request and counts requests, and records by their mark."""

    requests = 0
    records = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._held = bytearray()

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._held[:end]).lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            if len(self._held) < end + 4 + length:
                return
            Counter.records += self._held.count(b'{"sku":', end + 4, end + 4 + length)
            Counter.requests += 1
            del self._held[: end + 4 + length]
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            )


@contextmanager
def counting() -> Iterator[str]:
    """The address of a server that does as little as can be."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Counter, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def write_records(path: Path, count: int) -> None:
    """Records of about 215 bytes."""
    with path.open("w") as file:
        for number in range(count):
            text = f"a product of some length, number {number}, " * 3
            file.write(
                f'{{"sku":"HL-{number:07}","title":"{text}","price":{number / 100},"stock":{number % 90}}}\n'
            )


def carry(project: Project, url: str, count: int, **settings: Any) -> dict[str, Any]:
    """Carry so many records in a process of their own; its report with its peak of memory."""
    name = f"carry-{count}-{len(settings)}"
    batching = {"size": 100, "grouping": {"name": "property", "property_name": "records"}}
    project.destination(
        name,
        {"request": {"url": f"{url}/in"}, "batching": batching, "limits": {"max_in_flight": 8}, **settings},
    )
    if not (project.root / f"{count}.jsonl").exists():
        write_records(project.root / f"{count}.jsonl", count)
    Counter.requests = Counter.records = 0
    ended = subprocess.run(
        [sys.executable, "-c", CARRIER, name, f"{count}.jsonl"],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    assert (report["delivered"], Counter.records, Counter.requests) == (count, count, count // 100)
    return report


@pytest.mark.parametrize("way", [{}, {"exclude": ["stock"]}], ids=["untouched", "one attribute excluded"])
def test_b16_flat_memory(way: dict[str, Any], project: Project) -> None:
    """The peak of many records is below 100 MB, and that of 10,000 but for a little."""
    with counting() as url:
        few = carry(project, url, FEW, **way)["peak_mb"]
        many = carry(project, url, MANY, **way)["peak_mb"]
    print(f"peak memory: {few:.1f} MB for {FEW:,} records, {many:.1f} MB for {MANY:,}")
    assert many < MOST_MB
    assert many < few + FLAT_MB
