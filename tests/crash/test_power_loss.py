"""The power fails: all that was not synced to the disk is gone, and the run goes on from what was.

SIGKILL leaves the system's memory of files as it was, so it says nothing of `synchronous=FULL`. Here the carrier writes
down after each commit how long the write-ahead log and the spool are, and after each sync how long the output is: that
much was synced, as was the database, into which nothing comes meanwhile. It is killed, all are cut back to the last
such note, and the run is resumed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.crash.auditing import SEED, Tally, check_output
from tests.crash.counting import CountingServer
from tests.crash.test_kills import MALFORMED, WHOLE, check_end, write_records

ROUNDS = 3

CARRIER = """
import json, os, sys
from pathlib import Path

import haulier
from haulier.io.ledger.store import Ledger
from haulier.io.outputs.jsonl import JsonlOutput
from haulier.runs.inputs.spooling import Spool

orders = json.loads(Path(sys.argv[1]).read_text())
note, written = Path(orders["note"]), Path(orders["written"])
real_write = JsonlOutput.write

def write(self, lines):
    real_write(self, lines)
    part = written.with_suffix(".part")
    part.write_text(str(os.fstat(self._file.fileno()).st_size))
    part.rename(written)

JsonlOutput.write = write
real_commit, real_sync = Ledger.commit_all, Spool.sync
spooled = {"size": 0, "ended": False}

def sync(self):
    before = {"size": self.size, "ended": self.ended}
    real_sync(self)
    spooled.update(before)

def commit(self, commits):
    self._db.execute("pragma wal_autocheckpoint = 0")  # the log only grows, so its length tells all
    real_commit(self, commits)
    part = note.with_suffix(".part")
    part.write_text(json.dumps({"log": Path(f"{self.path}-wal").stat().st_size, "spool": spooled}))
    part.rename(note)

Ledger.commit_all, Spool.sync = commit, sync
report = haulier.send(orders["destination"], orders["records"], state=orders["state"], run_key="one")
print(json.dumps(report.to_dict()))
"""


@pytest.mark.parametrize("beyond", ["gone", "garbage"])
@pytest.mark.parametrize("piped", [False, True], ids=["file", "standard input"])
def test_nothing_is_lost_when_all_goes_that_was_not_synced(
    piped: bool, beyond: str, tmp_path: Path, record_property: Any
) -> None:
    """garbage: the log had grown already, and what stands behind its synced part is anything."""
    tally = Tally("power loss", SEED)
    chance = random.Random(f"{SEED} {piped} {beyond}")
    write_records(tmp_path / "records.jsonl")
    ledger = tmp_path / "state" / "carry" / "ledger.db"
    may_repeat: set[str] = set()
    output = tmp_path / "out.jsonl"
    with CountingServer(ledger, SEED) as server:
        orders = make_orders(tmp_path, server.url, piped)
        for cut in (*[True] * ROUNDS, False):
            (tmp_path / "note").unlink(missing_ok=True)
            before = len(server.seen)
            known = {seen.key for seen in server.seen}
            report = carry(orders, tmp_path / "records.jsonl", piped, chance if cut else None)
            server.quiet()
            again = {seen.key for seen in server.seen[before:]} & known
            assert again <= may_repeat
            tally.repeated += len(again)
            if report is not None:
                break
            tally.kills += 1
            cut_back(ledger, tmp_path / "note", chance, garbage=beyond == "garbage")
            cut_output(output, tmp_path / "written", chance, garbage=beyond == "garbage")
            intents, may_repeat = intents_of(ledger)
            assert {seen.key for seen in server.seen} <= intents, "left before its intent was on the disk"
    assert report is not None
    assert tally.kills
    try:
        check_end(server, report, tally, {})
        check_output(output, {"delivered": WHOLE, "rejected": MALFORMED})
    finally:
        record_property("crash", tally.told())


def cut_output(output: Path, written: Path, chance: random.Random, *, garbage: bool) -> None:
    """Leave of the output what was synced; garbage: and a beginning of what came behind, as a torn line."""
    synced = int(written.read_text()) if written.exists() else 0
    if not output.exists():
        return
    lost = output.stat().st_size - synced
    assert lost >= 0
    os.truncate(output, synced + (chance.randrange(lost + 1) if garbage else 0))


def cut_back(ledger: Path, note: Path, chance: random.Random, *, garbage: bool) -> None:
    """Leave of log and spool what was synced."""
    (ledger.parent / "ledger.db-shm").unlink(missing_ok=True)
    if not note.exists():
        return  # nothing was committed in this sitting
    synced = json.loads(note.read_text())
    log = ledger.with_name("ledger.db-wal")
    if log.exists():  # a ledger that was closed has none: all of it is in the database
        with log.open("r+b") as file:
            lost = file.seek(0, os.SEEK_END) - synced["log"]
            assert lost >= 0
            file.truncate(synced["log"])
            if garbage:
                file.seek(synced["log"])
                file.write(chance.randbytes(max(lost, 10_000)))
    for path in (ledger.parent / "spool").glob("*"):
        if path.suffix != ".end":
            os.truncate(path, synced["spool"]["size"])
        elif not synced["spool"]["ended"]:
            path.unlink()


def intents_of(ledger: Path) -> tuple[set[str], set[str]]:
    """Keys of all requests that the ledger knows, and of those without outcome."""
    if not ledger.exists():
        return set(), set()
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        rows = db.execute("select key, state from request").fetchall()
        return {key for key, _ in rows}, {key for key, state in rows if state in (0, 1)}


def make_orders(folder: Path, url: str, piped: bool) -> Path:
    path = folder / "orders.json"
    destination = {
        "name": "carry",
        "request": {"method": "POST", "url": f"{url}/records"},
        "batching": {"size": 10},
        "limits": {"max_in_flight": 4},
        "outputs": [{"to": "jsonl", "path": "out.jsonl"}],
    }
    records = "-" if piped else str(folder / "records.jsonl")
    values = {"destination": destination, "records": records, "state": str(folder / "state")}
    path.write_text(json.dumps({**values, "note": str(folder / "note"), "written": str(folder / "written")}))
    return path


def carry(orders: Path, records: Path, piped: bool, chance: random.Random | None) -> dict[str, Any] | None:
    """The report; None where the power failed before there was one."""
    with records.open("rb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", CARRIER, str(orders)],
            stdin=stream if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=orders.parent,
            text=True,
        )
        if chance is not None:
            # The first commit is where there begins to be something to lose.
            began: float | None = None
            lives_s = chance.uniform(0, 0.25)
            while process.poll() is None and (began is None or time.monotonic() < began + lives_s):
                time.sleep(0.001)
                if began is None and orders.with_name("note").exists():
                    began = time.monotonic()
            process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    if process.returncode == 0:
        report: dict[str, Any] = json.loads(out)
        assert report["state"] == "finished", report
        return report
    assert process.returncode == -signal.SIGKILL, err
    return None
