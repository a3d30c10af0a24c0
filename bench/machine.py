"""What the bench ran on, for the page: nothing that names the machine or its folders."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from pathlib import Path

__all__ = ["file_system_of", "machine_facts"]


def machine_facts(work: Path) -> list[tuple[str, str]]:
    """(what, fact) pairs. work: the folder in which the ledgers are written."""
    return [
        ("CPU", _cpu_model()),
        ("cores", str(os.cpu_count())),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"),
        ("system", f"{platform.system()} {platform.release().split('-')[0]}"),
        ("file system of the ledgers", file_system_of(work)),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("Python was built", f"{platform.python_build()[1]}, by {platform.python_compiler()}"),
        ("SQLite", sqlite3.sqlite_version),
    ]


def file_system_of(folder: Path) -> str:
    """Its type: on a tmpfs a durable commit costs nothing, and figures with it mean little."""
    folder, best, kind = folder.resolve(), "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mounted, found = line.split()[:3]
        if folder.is_relative_to(mounted) and len(mounted) >= len(best):
            best, kind = mounted, found
    return kind


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine() or sys.platform
