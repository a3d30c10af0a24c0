"""How long the command line takes to start: beside `python -c pass`, in the project's own environment."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from figures import Series
from processes import inherited

__all__ = ["STARTS", "measure_starts"]

_DESTINATION = """\
request: {method: POST, url: "http://127.0.0.1:9/records"}
batching: {size: 100, grouping: {name: property, property_name: records}}
"""
_NOTHING = "python -c pass"
# What is started -> milliseconds that it may take beyond `python -c pass`.
STARTS = {"haulier --help": 90.0, "haulier preview of three records": 250.0}


def measure_starts(records: Path, folder: Path, rounds: int) -> Mapping[str, Series]:
    """Milliseconds beyond `python -c pass`, round by round, each started once a round."""
    project = folder / "project"
    (project / "destinations").mkdir(parents=True)
    (project / "haulier.yaml").write_text("")
    (project / "destinations" / "bench.yaml").write_text(_DESTINATION)
    with records.open() as file:
        (project / "three.jsonl").write_text("".join(islice(file, 3)))
    haulier = [sys.executable, "-m", "haulier"]
    commands = {
        _NOTHING: [sys.executable, "-c", "pass"],
        "haulier --help": [*haulier, "--help"],
        "haulier preview of three records": [*haulier, "preview", "bench", "--records", "three.jsonl"],
    }
    found: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            taken = _milliseconds(command, project)
            if number:  # the first one fills caches
                found[name].append(taken)
    return {
        name: Series(
            tuple(taken - nothing for taken, nothing in zip(found[name], found[_NOTHING], strict=True))
        )
        for name in STARTS
    }


def _milliseconds(command: Sequence[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=inherited())
    return (time.perf_counter() - began) * 1000
