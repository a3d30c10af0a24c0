"""Measures Haulier beside its peers and the limit, in interleaved rounds, and writes docs/benchmarks.md.

`make bench` runs it whole; `--scale 50` only shows that it works. It fails where a tool fails or skips work, never
for being slow, and leaves out and names what is not installed. Linux only: it asks the kernel who used the CPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from compileall import compile_dir
from pathlib import Path

from cases import GOALS, WORKLOADS, Workload
from machine import machine_facts
from measuring import Measured, WorkSkippedError, measure
from pacing import measure_pacing
from page import Beside, page
from records import EXCLUDED, Records, first_of, make_records, repeated
from rounds import Case, outcomes, run_rounds
from server import nginx_version
from starting import measure_starts
from task import Task, Tool
from tools import bare_httpx, haulier, peers, syslog_ng, wrk

_CHECKOUT = Path(__file__).resolve().parent.parent
_PAGE = _CHECKOUT / "docs" / "benchmarks.md"
TOOLS: dict[str, Tool] = {
    tool.name: tool for room in (wrk, syslog_ng, bare_httpx, haulier, peers) for tool in room.TOOLS
}
_ROUNDS, _MORE_ROUNDS = 5, 4
_TIMES = 3  # of what is over soon, within a round; and of what others disturb
_MOST_MADE = 1_000_000  # more records than these are the same ones again


class Bench:
    """The records of a bench, and how a case is measured with them. scale: what all sizes are divided by."""

    def __init__(self, folder: Path, workloads: Sequence[Workload], scale: int) -> None:
        self._folder = folder
        self._scale = scale
        self._workloads = {workload.name: workload for workload in workloads}
        most = min(_MOST_MADE, max(workload.records_for("", scale) for workload in workloads))
        self._all = make_records(folder / "records.jsonl", most)
        self._cut: dict[int, Records] = {most: self._all}

    def measure(self, case: Case) -> Measured:
        """Measure a (workload, tool) pair once."""
        workload, tool = self._workloads[case[0]], TOOLS[case[1]]
        records = self._records(workload.records_for(tool.name, self._scale))
        task = Task(
            path=records.path,
            records=records.count,
            payload_bytes=records.payload_bytes,
            batch=workload.batch,
            exclude=EXCLUDED if workload.exclude else "",
            excluded_bytes=records.excluded_bytes,
            in_flight=workload.in_flight_of.get(tool.name, workload.in_flight),
            seconds=4 if self._scale == 1 else 1,
            server=workload.server,
            for_memory=workload.for_memory,
        )
        return measure(tool, task, self._folder, times=_TIMES if self._scale == 1 else 1)

    def beside(self, rounds: int) -> Beside:
        """What is no rate of records: how long the command line takes to start, and pacing."""
        print("start-up and pacing", file=sys.stderr, flush=True)
        return Beside(
            starts=measure_starts(self._all.path, self._folder, 2 * rounds),
            paced=measure_pacing(self._all, self._folder, scale=self._scale),
        )

    def _records(self, count: int) -> Records:
        if count not in self._cut:
            path = self._folder / f"records-{count}.jsonl"
            self._cut[count] = (repeated if count > self._all.count else first_of)(self._all, count, path)
        return self._cut[count]


def main() -> int:
    """Measure, print the page, and keep it where everything was measured in full."""
    options = _options()
    workloads = [workload for workload in WORKLOADS if not options.only or workload.name in options.only]
    for sources in (_CHECKOUT / "core" / "src", _CHECKOUT / "plugins"):
        compile_dir(sources, quiet=2)  # else the first round would do it
    nginx = nginx_version()
    versions = {name: tool.version() for name, tool in TOOLS.items()}
    for name in [name for name, version in {"nginx": nginx, **versions}.items() if not version]:
        print(f"absent: {name} (bench/README.md says how to install it)", file=sys.stderr)
    cases = [(workload.name, tool) for workload in workloads for tool in workload.tools if versions[tool]]
    rounds = options.rounds or (_ROUNDS if options.scale == 1 else 1)
    with tempfile.TemporaryDirectory(prefix="haulier-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # nginx drops its rights
        bench = Bench(Path(folder), workloads, options.scale)
        fewer = {workload.name: workload.rounds for workload in workloads if workload.rounds}
        more, times = (_MORE_ROUNDS, _TIMES) if options.scale == 1 else (0, 1)
        try:
            results = run_rounds(
                cases, GOALS, bench.measure, rounds=rounds, more=more, times=times, fewer=fewer
            )
        except (WorkSkippedError, TimeoutError) as error:
            print(f"the bench ended: {error}", file=sys.stderr)
            return 1
        beside = None if options.only else bench.beside(rounds)
        facts = machine_facts(Path(folder))
    goals = [goal for goal in GOALS if any(goal.of[0] == workload.name for workload in workloads)]
    reached = list(zip(goals, outcomes(goals, results), strict=True))
    text = page(
        facts,
        {"nginx": nginx, **versions},
        workloads,
        reached,
        results,
        beside,
        scale=options.scale,
        comparable=bool(nginx),
    )
    print(text)
    target = options.page or (_PAGE if options.scale == 1 and not options.only and nginx else None)
    if target is not None:
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=int, default=1, help="divide all sizes by so much")
    parser.add_argument("--rounds", type=int, default=0, help=f"instead of {_ROUNDS} (1 at a scale)")
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument(
        "--only", nargs="+", choices=names, default=[], help="these workloads; docs stay as they are"
    )
    parser.add_argument("--page", type=Path, help="write the page here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
