"""The bench works with what is installed, tells what is not, and catches a tool that skips work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"

pytestmark = pytest.mark.skipif(
    not Path("/proc/stat").exists(), reason="the bench asks Linux who used the CPU"
)

_LIAR = """
import sys
from pathlib import Path
from measuring import WorkSkippedError, measure
from records import make_records
from task import Command, Task

class Liar:
    name = "liar"

    def version(self):
        return "1"

    def command(self, task, folder):
        return Command(argv=[sys.executable, "-c", PROGRAM.replace("URL", task.url)])

folder = Path(sys.argv[1])
PROGRAM = sys.argv[2]
records = make_records(folder / "records.jsonl", 20)
task = Task(path=records.path, records=20, payload_bytes=records.payload_bytes, batch=10)
try:
    measure(Liar(), task, folder)
except WorkSkippedError as error:
    print(error)
"""


def run(*argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(BENCH), **more}
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env=environment)


@pytest.mark.long
def test_bench_runs_at_a_tiny_size(tmp_path: Path) -> None:
    """Every workload runs with what is installed, absent tools are named, and no timing fails it."""
    page = tmp_path / "page.md"
    ended = run(sys.executable, str(BENCH / "run.py"), "--scale", "5000", "--page", str(page))
    assert ended.returncode == 0, ended.stderr
    text = page.read_text()
    assert "All sizes were divided by 5000" in text
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        "Goals",
        "Start-up",
        "Pacing",
        "Planning alone, one core",
        "Planning alone, one core, one attribute excluded",
        "1 M records in batches of 100",
        "1 M records in batches of 100, one attribute excluded",
        "1 M records in batches of 100, over TLS",
        "200 k records one by one",
        "One by one, a server that answers in 50 ms, 200 in flight",
        "Memory: 100 k records in batches of 100",
        "Memory: 10 M records in batches of 100",
        "Machine and versions",
    ]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| haulier")]
    assert not [row for row in rows if row[1] in {"absent", "not run"} and "http1" not in row[0]]
    for name in ("nginx", "wrk", "syslog-ng, 4 workers", "dlt"):
        absent = f"absent: {name} " in ended.stderr
        assert absent == (f"| version of {name} | absent |" in text)
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("pass", "liar sent 0 requests where 2 were needed"),
        ("raise SystemExit(3)", "liar ended with 3"),
        (
            "import httpx; [httpx.post('URL', content=b'[]') for _ in range(2)]",
            "bytes; the records alone are",
        ),
        (
            "import httpx; [httpx.post('URL', content=b'[]') for _ in range(30)]",
            "liar sent 30 requests where 2 were needed",
        ),
    ],
)
def test_skipped_work_is_caught(tmp_path: Path, program: str, told: str) -> None:
    """A tool that fails, or sends fewer or emptier requests than the records need, gives no figure."""
    ended = run(sys.executable, "-c", _LIAR, str(tmp_path), program)
    assert told in ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("script", "told"), [("grouping.py", "the sandbox, a batch of 100"), ("encoding.py", "| xml |")]
)
def test_what_planning_costs_is_measured_without_sending(script: str, told: str) -> None:
    ended = run(sys.executable, str(BENCH / script), "--rounds", "2")
    assert (ended.stderr, told in ended.stdout) == ("", True)
