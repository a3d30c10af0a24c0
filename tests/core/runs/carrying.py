"""What tests of runs share: a destination, records, a look into the ledger, and a limit on how long a call takes."""

from __future__ import annotations

import gc
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.core.runs.wire import Wire

import haulier

T = TypeVar("T")
QUICK = {"attempts": 5, "base_s": 0.01, "cap_s": 0.05}


def destination(url: str, *, target: str = "/x", **written: Any) -> dict[str, Any]:
    """A hand-made POST that retries without long waits."""
    request = {"method": "POST", "url": url + target, **written.pop("request", {})}
    return {"name": "d", "request": request, "retry": QUICK, **written}


def records(count: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in range(count)]


def write_records(path: Path, count: int) -> Path:
    path.write_text("".join(f'{{"id":{number}}}\n' for number in range(count)))
    return path


def counts(report: haulier.Report) -> dict[str, int]:
    """The states that are not empty; fails where they do not add up to what was read."""
    names = ("pending", "sending", "delivered", "accepted", "rejected", "in_doubt")
    found = {name: getattr(report, name) for name in names}
    assert sum(found.values()) == report.read
    assert min(found.values()) >= 0
    return {name: count for name, count in found.items() if count}


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns or raises; AssertionError where it takes longer, as something hangs then."""
    found: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the test's own thread
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"not ended after {seconds} s"
    if raised:
        raise raised[0]
    return found[0]


_CARRY = """
import json, sys
import haulier
haulier.send(json.loads(sys.argv[1]), "in.jsonl", state="state", run_key="mine")
"""


def killed_when(wire: Wire, asked: int, made: dict[str, Any]) -> None:
    """Carry `in.jsonl` under the key `mine` in a process of its own, killed once so many requests have arrived."""
    process = subprocess.Popen([sys.executable, "-c", _CARRY, json.dumps(made)])
    until = time.monotonic() + 60
    while len(wire.asked) < asked:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def leave_garbage() -> None:
    """From here on Python looks for garbage in what is made from here on: what is there costs no time of this test."""
    gc.collect()
    gc.freeze()


def rows(folder: Path, statement: str, name: str = "d") -> list[tuple[Any, ...]]:
    """Rows of the ledger of destination `d`, read beside whoever writes it."""
    with closing(sqlite3.connect(f"file:{folder / name / 'ledger.db'}?mode=ro", uri=True, timeout=5)) as db:
        return db.execute(statement).fetchall()


@contextmanager
def audited(folder: Path) -> Iterator[list[str]]:
    """Look into the ledger all the while; the list fills with what does not hold."""
    wrong: list[str] = []
    looks = 0
    over = threading.Event()

    def look() -> None:
        nonlocal looks
        while not over.wait(0.001):
            try:
                _audit(folder, wrong)
                looks += 1
            except sqlite3.OperationalError:
                continue  # not there yet

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield wrong
    finally:
        over.set()
        thread.join()
    assert looks, "the ledger was never seen"


def _audit(folder: Path, wrong: list[str]) -> None:
    with closing(sqlite3.connect(f"file:{folder / 'd' / 'ledger.db'}?mode=ro", uri=True, timeout=5)) as db:
        db.execute("begin")
        run = db.execute(
            "select id, read, low_water, delivered + accepted, rejected, in_doubt from run order by id desc"
        ).fetchone()
        if run is None:
            return
        id, read, low, done, rejected, in_doubt = run
        requests = db.execute("select first, count, state from request where id >> 40 = ?", (id,)).fetchall()
        kept = db.execute("select state from record where run = ?", (id,)).fetchall()
        by_state = [sum(count for _, count, state in requests if state == wanted) for wanted in range(6)]
        unsettled = by_state[0] + by_state[1]
        if by_state[2] + by_state[3] != done:
            wrong.append(f"{done} delivered by the run, {by_state[2] + by_state[3]} by its requests")
        if done + rejected + in_doubt + unsettled > read:
            wrong.append(f"more than the {read} read: {done} + {rejected} + {in_doubt} + {unsettled}")
        if [kept.count((4,)), kept.count((5,))] != [rejected, in_doubt]:
            wrong.append(f"{rejected} rejected and {in_doubt} in doubt by the run, records say {kept}")
        lowest = min((first for first, _, state in requests if state < 2), default=read)
        if low > lowest:
            wrong.append(f"low-water mark {low} above the unsettled record {lowest}")
