"""`haulier run`, a process as people start it, is ended from outside: killed, interrupted once and twice, paused."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import COMMAND, Project, wait_for
from tests.crash.auditing import SEED, Left, Tally, arrived, check_output, left_in
from tests.crash.counting import CountingServer
from tests.crash.test_kills import MALFORMED, WHOLE, check_end, write_records

ENDINGS = 5
KILLED, INTERRUPTED, AT_ONCE = (signal.SIGKILL,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGINT)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    (tmp_path / "destinations").mkdir()
    (tmp_path / "haulier.yaml").write_text("version: 1\n")
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("piped", [False, True], ids=["a file", "standard input"])
@pytest.mark.parametrize(
    "signals", [KILLED, INTERRUPTED, AT_ONCE], ids=["SIGKILL", "SIGINT", "SIGTERM, SIGINT"]
)
def test_a_command_that_is_ended_goes_on_and_loses_nothing(
    signals: tuple[signal.Signals, ...], piped: bool, project: Project, record_property: Any
) -> None:
    """Its exit code is that of the signal; interrupted once it has nothing on its way when it ends."""
    tally = Tally(f"haulier run, {', '.join(one.name for one in signals)}", SEED)
    chance = random.Random(f"{SEED} {tally.scenario} {piped}")
    write_records(project.root / "records.jsonl")
    ledger = project.root / ".haulier" / "carry" / "ledger.db"
    words = (
        "run",
        "carry",
        "--records",
        "-" if piped else "records.jsonl",
        "--format",
        "jsonl",
        "--run-key",
        "k",
    )
    left = Left()
    try:
        with CountingServer(ledger, SEED, delay_s=0.03) as server:
            project.post(
                "carry",
                f"{server.url}/records",
                "batching: {size: 5}\nlimits: {max_in_flight: 2}\noutputs: [{to: jsonl, path: out.jsonl}]\n",
            )
            for number in range(ENDINGS + 1):
                before, known = len(server.seen), {seen.key for seen in server.seen}
                process = start(project, words, piped=piped)
                if number < ENDINGS:
                    end(process, server, before, signals, chance)
                out, told = process.communicate(timeout=60)
                server.quiet()
                again = {seen.key for seen in server.seen[before:]} & known
                assert again <= left.unsettled
                tally.repeated += len(again)
                left = left_in(ledger, {"run_key": "k"})
                if process.returncode == 4:  # at its end: there are malformed records
                    break
                assert process.returncode in expected(signals), told.decode()
                assert b"Traceback" not in told
                tally.kills += 1
                if signals == INTERRUPTED:
                    report = json.loads(out)
                    assert (report["state"], report["sending"]) == ("stopped", 0)
                    assert report["delivered"] == len(arrived(server.seen))
            assert tally.kills
            assert process.returncode == 4
            check_end(server, json.loads(out), tally, {})
            check_output(project.root / "out.jsonl", {"delivered": WHOLE, "rejected": MALFORMED})
    finally:
        record_property("crash", tally.told())


def expected(signals: tuple[signal.Signals, ...]) -> set[int]:
    """Exit codes: of two signals within milliseconds it is not sure which one comes first."""
    return {-signal.SIGKILL} if signals == KILLED else {128 + one for one in signals}


def start(project: Project, words: tuple[str, ...], *, piped: bool) -> subprocess.Popen[bytes]:
    with (project.root / "records.jsonl").open("rb") as records:
        process = subprocess.Popen(
            [*COMMAND, *words, "--activate", "--json"],
            cwd=project.root,
            stdin=records if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=project.environment(),
        )
    project.started.append(process)
    return process


def end(
    process: subprocess.Popen[bytes],
    server: CountingServer,
    before: int,
    signals: tuple[signal.Signals, ...],
    chance: random.Random,
) -> None:
    """Send the signals at some instant after the first request of this sitting; a kill comes before it, too."""
    lives_s = chance.uniform(0, 0.25)
    if signals != KILLED or chance.random() < 0.7:
        until = time.monotonic() + 30
        while process.poll() is None and len(server.seen) == before and time.monotonic() < until:
            time.sleep(0.001)
    else:
        lives_s *= 3
    time.sleep(lives_s)
    for number, sent in enumerate(signals):
        if number:
            time.sleep(chance.uniform(0, 0.02))
        if process.poll() is None:
            process.send_signal(sent)


@pytest.mark.alone
@pytest.mark.parametrize("service", ["answers in 0.3 s", "asks for patience"])
def test_a_pause_drains_a_run_within_two_seconds_and_it_exits_3(service: str, project: Project) -> None:
    """What is in flight is answered and settled; what waits for another attempt does not hold it up."""
    write_records(project.root / "records.jsonl", malformed=frozenset(), records=200)
    ledger = project.root / ".haulier" / "carry" / "ledger.db"
    with CountingServer(ledger, SEED, delay_s=0.3) as server:
        project.post(
            "carry",
            f"{server.url}/records",
            "limits: {max_in_flight: 8}\nbatching: {size: 2}\nretry: {base_s: 30, cap_s: 60}\n",
        )
        words = ("run", "carry", "--records", "records.jsonl", "--json")
        process = project.start(*words, "--activate")
        wait_for(lambda: len(server.seen) >= 8)
        if service == "asks for patience":
            server.faults = 1.0
            wait_for(lambda: any(one.status == 503 for one in server.seen))
        assert project.run("pause", "carry").code == 0
        began = time.monotonic()
        out, _ = process.communicate(timeout=30)
        assert time.monotonic() - began < 2
        report = json.loads(out)
        assert (process.returncode, report["state"], report["sending"]) == (3, "stopped", 0)
        assert report["delivered"] == len(arrived(server.seen)) < 200
        seen, server.faults = len(server.seen), 0.0
        on = project.run(*words, "--activate")
        assert (on.code, on.json["delivered"]) == (0, 200)
        assert arrived(server.seen) == set(range(200))
        if service == "answers in 0.3 s":
            assert len(server.seen) == len({one.key for one in server.seen}) == 100 > seen
