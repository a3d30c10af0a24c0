"""Under `order` a request leaves once the outcome of the one before it in its lane is durable: a kill repeats none that
another one of its lane had followed. And what a kill leaves in doubt under `unanswered: park` is what was under way.

Sittings are killed as an answer is written: its outcome cannot be durable then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from tests.crash.auditing import IN_DOUBT, SEED
from tests.crash.counting import CountingServer, Seen
from tests.crash.sittings import Nursery
from tests.crash.test_kills import write_records

from haulier.model.delivery import State

RECORDS = 90
BAD = frozenset({11, 12, 25, 60})
ANSWERS = (1, 4, 2, 6, 3)  # of each sitting, until it is killed
STRICT: dict[str, Any] = {"order": "strict"}
BY_KEY: dict[str, Any] = {"order": "key", "key": "side"}
TENS: dict[str, Any] = {"batching": {"size": 10}}


def lane_of(record: int, order: str) -> int:
    """Which others a record waits for: `side`, as `write_records` has it."""
    return record % 3 == 0 if order == "key" else 0


def in_turn(seen: Iterable[Seen], lane: int, order: str) -> list[int]:
    """The records of a lane as the server took them; a request that was repeated right behind itself counts once."""
    taken = [one.ids for one in seen if one.status == 200 and lane_of(one.ids[0], order) == lane]
    return [record for ids, _ in groupby(taken) for record in ids]


def requests_in(ledger: Path, state: int) -> int:
    """How many requests are in a state."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=10)) as db:
        found: int = db.execute("select count(*) from request where state = ?", (state,)).fetchone()[0]
        return found


def sat(
    nursery: Nursery, folder: Path, server: CountingServer, settings: dict[str, Any], answers: int
) -> dict[str, Any] | None:
    """A sitting that is killed at so many answers, 0: none; its report, where it came to its end."""
    if not (folder / "records.jsonl").exists():
        write_records(folder / "records.jsonl", malformed=frozenset(), records=RECORDS)
    orders = {
        "destination": {"name": "carry", "request": {"method": "POST", "url": server.url}, **settings},
        "records": str(folder / "records.jsonl"),
        "state": str(folder / "state"),
        "run_key": "ordered",
    }
    server.victim = 0
    server.count_anew(half_at=0, answered_at=answers)
    sitting = nursery.begin(folder, orders)
    server.victim = sitting.pid
    assert sitting.end() == bool(answers)
    server.quiet()
    return sitting.report


def killed(
    nursery: Nursery, folder: Path, server: CountingServer, settings: dict[str, Any]
) -> dict[str, Any]:
    """A run that is killed at some answers; the report of the sitting that came to its end."""
    for answers in ANSWERS:
        sat(nursery, folder, server, settings, answers)
    report = sat(nursery, folder, server, settings, 0)
    assert report is not None
    assert report["state"] == "finished"
    return report


@pytest.mark.parametrize(
    ("settings", "bad"),
    [
        pytest.param(STRICT, frozenset(), id="strict"),
        pytest.param({**STRICT, "batching": {"size": 4}}, frozenset(), id="strict, batches"),
        pytest.param({**STRICT, **TENS}, BAD, id="strict, batches that are halved"),
        pytest.param(BY_KEY, frozenset(), id="key"),
    ],
)
def test_a_kill_repeats_no_request_that_another_one_of_its_lane_had_followed(
    settings: dict[str, Any], bad: frozenset[int], tmp_path: Path, nursery: Nursery
) -> None:
    with CountingServer(tmp_path / "state" / "carry" / "ledger.db", SEED, delay_s=0.002, bad=bad) as server:
        report = killed(nursery, tmp_path, server, settings)
        order = settings["order"]
        for lane in {lane_of(record, order) for record in range(RECORDS)}:
            whole = [record for record in range(RECORDS) if lane_of(record, order) == lane]
            assert in_turn(server.seen, lane, order) == [record for record in whole if record not in bad]
        assert not server.without_intent
    assert (report["delivered"], report["rejected"]) == (RECORDS - len(bad), len(bad))


@pytest.mark.parametrize(
    ("settings", "bad", "most"),
    [
        pytest.param(STRICT, frozenset(), 1, id="strict"),
        pytest.param(
            {**STRICT, "limits": {"max_in_flight": 300}}, frozenset(), 1, id="strict, 300 in flight"
        ),
        pytest.param({**STRICT, **TENS}, BAD, 1, id="strict, batches that are halved"),
        pytest.param(BY_KEY, frozenset(), 2, id="key, two values"),
        pytest.param({**BY_KEY, "limits": {"max_in_flight": 1}}, frozenset(), 1, id="key, one in flight"),
    ],
)
def test_a_kill_leaves_in_doubt_what_was_under_way_only(
    settings: dict[str, Any], bad: frozenset[int], most: int, tmp_path: Path, nursery: Nursery
) -> None:
    ledger = tmp_path / "state" / "carry" / "ledger.db"
    with CountingServer(ledger, SEED, delay_s=0.002, bad=bad) as server:
        report = killed(nursery, tmp_path, server, {**settings, "unanswered": "park"})
        assert not server.without_intent
    in_doubt = requests_in(ledger, IN_DOUBT)
    assert 0 < in_doubt <= len(ANSWERS) * most
    taken = [record for one in server.seen if one.status == 200 for record in one.ids]
    assert len(taken) == len(set(taken))
    assert report["delivered"] + report["in_doubt"] + report["rejected"] == RECORDS


def test_many_of_one_lane_that_were_on_their_way_go_on_one_by_one(tmp_path: Path, nursery: Nursery) -> None:
    """As versions left them that wrote intents ahead in strict order as well: here by a sitting without order."""
    ledger = tmp_path / "state" / "carry" / "ledger.db"
    with CountingServer(ledger, SEED, delay_s=0.002) as server:
        sat(nursery, tmp_path, server, {"limits": {"max_in_flight": 10}}, 20)
        assert requests_in(ledger, State.SENDING) > 10
        with closing(sqlite3.connect(ledger)) as db, db:
            db.execute("update run set settings = json_set(settings, '$.order', 'strict')")
        before = len(server.seen)
        report = sat(nursery, tmp_path, server, STRICT, 0)
        again = [one.ids[0] for one in server.seen[before:]]
    assert again == sorted({*again})
    assert report is not None
    assert (report["state"], report["delivered"]) == ("finished", RECORDS)
