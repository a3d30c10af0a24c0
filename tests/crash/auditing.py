"""What must hold after a kill and at the end: the ledger held against what the server saw and the outputs got."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.counting import Seen

# One for all workers of a session: HAULIER_SEED=N repeats it.
SEED = os.environ.get("HAULIER_SEED") or str(
    random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(1, 10**6)
)
DELIVERED, REJECTED, IN_DOUBT = 2, 4, 5


@dataclass
class Left:
    """What a sitting left in the ledger. run: its row; unsettled: keys of requests without outcome, `sending` those
    of them that may be on their way, with their records."""

    run: dict[str, Any] | None = None
    unsettled: set[str] = field(default_factory=set)
    sending: dict[str, int] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)


def left_in(ledger: Path, orders: dict[str, Any]) -> Left:
    """What is there of the run of these orders. Checked: its counts are those of its requests and records."""
    # A journal beside it: it was killed while SQLite gave it a write-ahead log, and there is nothing in it yet.
    if not ledger.exists() or ledger.with_name("ledger.db-journal").exists():
        return Left()
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=10)) as db:
        db.row_factory = sqlite3.Row
        if not db.execute("select 1 from sqlite_master where name = 'run'").fetchone():
            return Left()  # killed before the tables were made
        db.execute("begin")
        name, value = ("parent", orders["parent"]) if "parent" in orders else ("run_key", orders["run_key"])
        row = db.execute(f"select * from run where {name} = ? order by id desc limit 1", (value,)).fetchone()
        if row is None:
            return Left()
        run = dict(row)
        between = (run["id"] << 40, (run["id"] + 1) << 40)
        requests = db.execute(
            "select id, key, state, count, parent from request where id >= ? and id < ?", between
        ).fetchall()
        counted = Counter(
            state
            for (state,) in db.execute(
                "select state from record where run = ? and state in (4, 5)", (run["id"],)
            )
        )
        if not run["compacted"]:
            whole = {one["id"] - between[0]: one["count"] for one in requests if one["state"] == DELIVERED}
            # What a service asked for once more is in a part of its own, and stands in the whole as well.
            apart = sum(one["count"] for one in requests if whole.get(one["parent"]))
            delivered = sum(whole.values()) - apart
            assert delivered == run["delivered"], "the ledger counts what its requests do not say"
        assert (counted[REJECTED], counted[IN_DOUBT]) == (run["rejected"], run["in_doubt"])
        settled = run["delivered"] + run["accepted"] + run["rejected"] + run["in_doubt"]
        waiting = sum(one["count"] for one in requests if one["state"] in (0, 1))
        assert settled + waiting <= run["read"], "more records have a state than were read"
        return Left(
            run,
            {one["key"] for one in requests if one["state"] in (0, 1)},
            {one["key"]: one["count"] for one in requests if one["state"] == 1},
            {one["key"] for one in requests if one["state"] == DELIVERED and one["count"]},
        )


@dataclass
class Tally:
    """What a scenario came to. repeated: requests that went out in more than one sitting; in_doubt: records."""

    scenario: str
    seed: str = ""
    kills: int = 0
    lost: int = 0
    repeated: int = 0
    in_doubt: int = 0
    phases: Counter[str] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        """As plain values, for the table at the end of the tests."""
        return {**vars(self), "phases": dict(self.phases)}


def one_body_each(seen: Iterable[Seen]) -> dict[str, Seen]:
    """The last of each key; one key is one body to one target, however often it came."""
    bodies: dict[str, Seen] = {}
    for one in seen:
        first = bodies.setdefault(one.key, one)
        assert (first.digest, first.ids, first.target) == (one.digest, one.ids, one.target), (
            "one key, two bodies"
        )
        if one.status == 200:
            bodies[one.key] = one
    return bodies


def arrived(seen: Iterable[Seen]) -> set[int]:
    """Ids of records that the server took."""
    return {number for one in seen if one.status == 200 for number in one.ids if number not in one.later}


def check_output(path: Path, states: dict[str, Collection[int]]) -> None:
    """Every record has its line, in its state; a line may stand twice after a crash, never half."""
    text = path.read_bytes()
    assert text.endswith(b"\n")
    found: dict[str, set[int]] = {state: set() for state in states}
    for line in map(json.loads, text.splitlines()):
        found[line["state"]].update(line["positions"])
    assert found == {state: set(positions) for state, positions in states.items()}


def records_in(ledger: Path, run_id: str, state: int) -> list[dict[str, Any]]:
    """Rejected records of a run, or those in doubt."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=10)) as db:
        db.row_factory = sqlite3.Row
        rows = db.execute(
            "select record.* from record join run on run.id = record.run where run.run_id = ? and record.state = ?",
            (run_id, state),
        )
        return [dict(row) for row in rows]
