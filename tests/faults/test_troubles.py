"""What happens to the machine that a run is on: the third table of the fault matrix."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from tests.core.runs.carrying import QUICK, counts, destination, records, within
from tests.core.runs.wire import Answer, Asked, Wire, answer
from tests.faults.matrix import TROUBLES

import haulier

PATIENCE_S = 90


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with three thousand records; it is the current one."""
    (tmp_path / "haulier.yaml").write_text("version: 1\n")
    (tmp_path / "destinations").mkdir()
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(3000)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def haul(url: str, *more: str, most_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
    """`haulier run` in a process of its own. most_bytes: that a file may have, which stands for a full disk."""
    request = {"method": "POST", "url": url + "/x"}
    written = {"request": request, "retry": QUICK, "limits": {"max_in_flight": 4}}
    Path("destinations/d.yaml").write_text(json.dumps(written))

    def limit() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    return subprocess.run(
        [sys.executable, "-m", "haulier", "run", "d", "--records", "in.jsonl", "--activate", "--json", *more],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        preexec_fn=limit,
    )


def test_a_full_disk_stops_the_run_and_the_same_command_delivers_the_rest(project: Path) -> None:
    with Wire() as wire:
        full = haul(wire.url, most_bytes=300_000)
        assert full.returncode == TROUBLES["full"].code, full.stderr
        assert re.search("make room .*then run again", full.stderr)
        first = list(wire.asked)
        assert 0 < len(first) < 3000
        ended = haul(wire.url)
        assert (ended.returncode, json.loads(ended.stdout)["delivered"]) == (0, 3000), ended.stderr
        assert {json.loads(one.body)["id"] for one in wire.asked} == set(range(3000))
        by_key = {(one.header("idempotency-key"), one.body) for one in wire.asked}
        assert len(by_key) == 3000, "what went out twice had the same bytes and key"


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs a folder that nobody may write, not even root"
)
def test_where_no_ledger_may_be_written_nothing_is_sent(project: Path) -> None:
    with Wire() as wire:
        refused = haul(wire.url, "--state", "/proc/self/haulier")
        assert refused.returncode == TROUBLES["read-only"].code, refused.stderr
        assert "--state" in refused.stderr
        assert wire.asked == []


@pytest.mark.parametrize(("way", "step_s"), [("forward", 86_400.0), ("backward", -86_400.0)])
def test_a_clock_that_jumps_makes_no_difference(
    way: str, step_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock jumps with each request; waits are those of a clock that goes evenly."""
    true, jumped = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: true() + jumped)

    def reply(asked: Asked) -> Answer:
        nonlocal jumped
        jumped += step_s
        return answer(429, Retry_After="1") if asked.number == 5 else answer()

    with Wire(reply) as wire:
        made = destination(wire.url, limits={"requests_per_second": 20.0, "max_in_flight": 1})
        began = time.monotonic()
        report = within(60, lambda: haulier.send(made, records(20), state=tmp_path))
        took = time.monotonic() - began
        assert (report.exit_code, counts(report)) == (TROUBLES[way].code, {"delivered": 20})
        assert report.ended is not None
        assert report.ended - report.started >= 1.5, "its clock told so"
        gaps = [after.at - before.at for before, after in pairwise(wire.asked)]
        assert gaps[5] >= 0.99
        assert min(gaps) >= 0.03
        assert took < 45, "a day was waited for"


pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of processes")
