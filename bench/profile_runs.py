"""Where the time goes: three workloads over `http1` against the bench's server, ledger on.

`make profile`. Two instruments: `perf`, where it is installed, samples all threads and says which library the time is
spent in; cProfile looks into the functions of the run's own thread, and makes it about half as fast.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from processes import program
from records import EXCLUDED, Records, make_records
from server import Server

_CHILDREN = Path(__file__).resolve().parent / "children"
# Title -> (records, records a request, requests in flight, attribute that is kept out)
_WORKLOADS = {
    "batches of 100, untouched": (500_000, 100, 16, ""),
    "one by one": (100_000, 1, 64, ""),
    "batches of 100, one attribute excluded": (500_000, 100, 16, EXCLUDED),
}


def main() -> None:
    """Profile each workload once."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=int, default=1, help="divide all sizes by so much")
    parser.add_argument("--lines", type=int, default=30, help="functions to show")
    parser.add_argument("--transport", default="http1")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # nginx drops its rights
        for title, (count, batch, in_flight, exclude) in _WORKLOADS.items():
            folder = Path(name) / title.replace(" ", "-")
            folder.mkdir()
            records = make_records(folder / "records.jsonl", max(batch, count // options.scale))
            more = ["--in-flight", str(in_flight), "--transport", options.transport]
            more += ["--exclude", exclude] if exclude else []
            print(f"\n=== {title}: {records.count:,} records ===", flush=True)
            if program("perf"):
                _sampled(records, batch, folder, more)
            _traced(records, batch, folder, more, options.lines)


def _sampled(records: Records, batch: int, folder: Path, more: list[str]) -> None:
    """Time by library."""
    data = str(folder / "perf.data")
    with Server(folder) as server:
        sending = [sys.executable, str(_CHILDREN / "send.py"), str(records.path), str(batch), server.url]
        sending += [str(folder / "state-sampled"), *more]
        recording = [program("perf"), "record", "--quiet", "--output", data, "--", *sending]
        if subprocess.run(recording, check=False, stderr=subprocess.DEVNULL).returncode:
            print("perf may not record here")
            return
    shown = subprocess.run(
        [program("perf"), "report", "--input", data, "--sort", "dso", "--stdio", "--percent-limit", "1"],
        check=True,
        capture_output=True,
        text=True,
    )
    print("-- perf, by library --")
    print(
        "\n".join(line for line in shown.stdout.splitlines() if line.strip() and line[:1] != "#"), flush=True
    )


def _traced(records: Records, batch: int, folder: Path, more: list[str], lines: int) -> None:
    """Time by function, in the run's thread."""
    print("-- cProfile, the run's thread --", flush=True)
    with Server(folder) as server:
        argv = [
            sys.executable,
            str(_CHILDREN / "profiled_send.py"),
            str(lines),
            str(records.path),
            str(batch),
        ]
        argv += [server.url, str(folder / "state-traced"), *more]
        subprocess.run(argv, check=True, env={**os.environ, "COLUMNS": "120"})


if __name__ == "__main__":
    main()
