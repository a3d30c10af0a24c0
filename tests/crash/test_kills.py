"""The process is killed at random instants and started again: nothing is lost, and only what may have been sent
goes out twice, each time with the same bytes and its first key.

Every sitting but the last is killed, at any instant of its life: while it starts, opens the ledger, holds the input
against what was read before, sends, commits, writes outputs, or ends. Several runs share one ledger, so that finished
ones are compacted under way. After each kill the ledger is held against what the server saw.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.crash import auditing
from tests.crash.auditing import SEED, Left, Tally, left_in
from tests.crash.counting import CountingServer
from tests.crash.sittings import Nursery, Sitting

import haulier

KILLS = int(os.environ.get("HAULIER_KILLS", "20"))
RECORDS = 600
MALFORMED = frozenset({7, 300, 599})
WHOLE = frozenset(range(RECORDS)) - MALFORMED
BAD = frozenset({11, 12, 205, 420})
LONGEST_S = 0.4  # about as long as a run takes that is not killed
AIMED = ("opening", "compacting", "verifying", "ending")  # short phases, which chance alone would hardly meet

BATCHES = {"batching": {"size": 10}, "limits": {"max_in_flight": 4}}
QUICK = {"attempts": 6, "base_s": 0.005, "cap_s": 0.02}
# Of the options: settings of the destination.
WRITTEN = ("batching", "limits", "retry", "unanswered", "outcomes")
IN_PART = {
    "retry": QUICK,
    "later": 0.1,
    "outcomes": {"by": "index", "at": "/results", "status": "/status"},
    "output": True,
}
SCENARIOS: dict[str, dict[str, Any]] = {
    "batches": BATCHES,
    "one by one": {"limits": {"max_in_flight": 64}},
    "two addresses": {**BATCHES, "path": "/to/{record.side}"},
    "faulty server": {**BATCHES, "retry": QUICK, "faults": 0.05, "cuts": 0.05},
    "slow server": {"batching": {"size": 40}, "limits": {"max_in_flight": 2}, "delay_s": 0.06},
    "an iterator, with an output": {**BATCHES, "kind": "piped", "output": True},
    "standard input": {**BATCHES, "kind": "stdin"},
    "pushed chunks": {**BATCHES, "kind": "pushed", "output": True},
    "outputs of single records": {"limits": {"max_in_flight": 16}, "output": True},
    "bisection": {**BATCHES, "bad": BAD, "output": True},
    "answered in part": {**BATCHES, **IN_PART},
    "answered in part, parked": {**BATCHES, **IN_PART, "unanswered": "park"},
    "planned beside": {**BATCHES, "planning": "beside"},
    "unanswered: park": {**BATCHES, "unanswered": "park", "output": True},
}


def write_records(path: Path, *, malformed: frozenset[int] = MALFORMED, records: int = RECORDS) -> None:
    lines = [
        json.dumps({"id": number, "side": "left" if number % 3 else "right", "text": "x" * (number % 50)})
        for number in range(records)
    ]
    for number in malformed:
        lines[number] = lines[number][:-1]
    path.write_text("\n".join(lines) + "\n")


def destination_of(url: str, options: dict[str, Any], output: str) -> dict[str, Any]:
    made = {
        "name": "carry",
        "request": {"method": "POST", "url": url + options.get("path", "/records")},
        **{name: options[name] for name in WRITTEN if name in options},
    }
    return {**made, "outputs": [{"to": "jsonl", "path": output}]} if options.get("output") else made


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_random_kills_lose_nothing_and_repeat_only_what_may_have_been_sent(
    scenario: str, tmp_path: Path, nursery: Nursery, record_property: Any
) -> None:
    options = SCENARIOS[scenario]
    tally = Tally(scenario, SEED)
    print(f"seed {SEED}")
    chance = random.Random(f"{SEED} {tally.scenario}")
    write_records(tmp_path / "records.jsonl")
    ledger = tmp_path / "state" / "carry" / "ledger.db"
    given = {name: options[name] for name in ("faults", "cuts", "delay_s", "bad", "later") if name in options}
    try:
        with CountingServer(ledger, SEED, **given) as server:
            for number in range(10_000):
                if tally.kills >= KILLS:
                    break
                server.seen.clear()
                output = f"out{number}.jsonl"
                orders = {
                    "kind": options.get("kind", "file"),
                    "destination": destination_of(server.url, options, output),
                    "records": str(tmp_path / "records.jsonl"),
                    "state": str(tmp_path / "state"),
                    "run_key": f"run {number}",
                    "planning": options.get("planning", "here"),
                }
                report = carry(nursery, tmp_path, orders, server, chance, tally)
                check_end(server, report, tally, options)
                if options.get("output"):
                    check_output_of(tmp_path / output, ledger, report, options)
    finally:
        record_property("crash", tally.told())
    assert tally.kills >= KILLS


def test_random_kills_lose_no_dead_letter_and_begin_no_second_replay(
    tmp_path: Path, nursery: Nursery, record_property: Any
) -> None:
    tally = Tally("replay", SEED)
    chance = random.Random(f"{SEED} {tally.scenario}")
    ledger = tmp_path / "state" / "carry" / "ledger.db"
    write_records(tmp_path / "records.jsonl", malformed=frozenset())
    try:
        with CountingServer(ledger, SEED) as server:
            made = destination_of(server.url, BATCHES, "")
            # Dead letters are made of what is never sent: an attribute that the address wants is missing.
            failing = {**made, "request": {**made["request"], "url": f"{server.url}/{{record.gone}}"}}
            while tally.kills < KILLS:
                first = haulier.send(
                    failing,
                    [{"id": number, "text": "x" * 30} for number in range(RECORDS)],
                    state=tmp_path / "state",
                )
                assert (first.rejected, first.state) == (RECORDS, "finished")
                server.seen.clear()
                orders = {
                    "kind": "replayed",
                    "destination": made,
                    "state": str(tmp_path / "state"),
                    "parent": first.run_id,
                }
                carry(nursery, tmp_path, orders, server, chance, tally)
                lost = set(range(RECORDS)) - auditing.arrived(server.seen)
                tally.lost += len(lost)
                assert not lost
                assert not server.without_intent
                auditing.one_body_each(server.seen)
                run = left_in(ledger, orders).run
                assert run is not None
                assert (run["state"], run["read"], run["delivered"], run["parent"]) == (
                    "finished",
                    RECORDS,
                    RECORDS,
                    first.run_id,
                )
    finally:
        record_property("crash", tally.told())


def carry(
    nursery: Nursery,
    folder: Path,
    orders: dict[str, Any],
    server: CountingServer,
    chance: random.Random,
    tally: Tally,
) -> dict[str, Any]:
    """Begin it again and again, and kill it each time but the last; the report of the last."""
    left = Left()
    for _ in range(1_000):
        before = len(server.seen)
        known = {seen.key for seen in server.seen}
        sitting = nursery.begin(folder, orders)
        if tally.kills < KILLS:
            kill(sitting, chance)
        killed = sitting.end()
        server.quiet()
        again = {seen.key for seen in server.seen[before:]} & known
        assert again <= left.unsettled, f"sent again without need: {again - left.unsettled}"
        tally.repeated += len(again)
        if killed:
            tally.kills += 1
            tally.phases[sitting.phase] += 1
        left = left_in(server.ledger, orders)
        assert left.delivered <= {seen.key for seen in server.seen if seen.status == 200}
        if sitting.report is not None and sitting.report["state"] == "finished":
            return sitting.report
    raise AssertionError("it comes to no end")


def folders(beside: Path, tally: Tally) -> Iterator[Path]:
    """A new folder for each run, until there were kills enough; a run may come to its end before it is killed."""
    for number in count():
        if tally.kills >= KILLS:
            return
        folder = beside / f"run {number}"
        folder.mkdir()
        yield folder


def killed_to_its_end(
    nursery: Nursery, folder: Path, orders: dict[str, Any], chance: random.Random, tally: Tally
) -> dict[str, Any]:
    """Carry the orders out, killed at random while kills are left; the report of the sitting that came to its end."""
    while True:
        sitting = nursery.begin(folder, orders)
        if tally.kills < KILLS:
            kill(sitting, chance)
        if sitting.end():
            tally.kills += 1
            tally.phases[sitting.phase] += 1
        if sitting.report is not None:
            return sitting.report


def kill(sitting: Sitting, chance: random.Random) -> None:
    """Kill it at some instant of its life, unless it is over before."""
    dice = chance.random()
    if dice < 0.1:
        sitting.wait(lambda: False, chance.uniform(0, 0.1))
    elif dice < 0.35:
        phase = chance.choice(AIMED)
        sitting.wait(lambda: sitting.reached(phase), 20)
        sitting.wait(lambda: False, chance.uniform(0, 0.004))
    else:
        sitting.wait(lambda: sitting.reached("opening"), 20)
        sitting.wait(lambda: False, chance.uniform(0, LONGEST_S))
    sitting.kill()


def check_end(server: CountingServer, report: dict[str, Any], tally: Tally, options: dict[str, Any]) -> None:
    """Everything read is in one state, and that is true of it."""
    assert not server.without_intent, "left before its intent was durable"
    auditing.one_body_each(server.seen)
    took = auditing.arrived(server.seen)
    bad = options.get("bad", frozenset())
    assert not took & bad
    lost = WHOLE - bad - took
    doubtful = auditing.records_in(server.ledger, report["run_id"], auditing.IN_DOUBT)
    lost -= {row["position"] for row in doubtful}
    tally.lost += len(lost)
    assert not lost, "not sent, and nobody is told"
    assert report["in_doubt"] == len(doubtful)
    assert options.get("unanswered") == "park" or not doubtful
    tally.in_doubt += report["in_doubt"]
    assert report["read"] == RECORDS
    assert report["rejected"] == len(MALFORMED | bad)
    assert report["delivered"] + report["in_doubt"] == RECORDS - len(MALFORMED | bad)
    assert report["pending"] == report["sending"] == report["accepted"] == 0


def check_output_of(path: Path, ledger: Path, report: dict[str, Any], options: dict[str, Any]) -> None:
    """Each record has its line; those in doubt are those that the ledger names."""
    rejected = MALFORMED | options.get("bad", frozenset())
    doubtful = {row["position"] for row in auditing.records_in(ledger, report["run_id"], auditing.IN_DOUBT)}
    assert len(doubtful) == report["in_doubt"]
    states = {"delivered": WHOLE - rejected - doubtful, "rejected": rejected, "in_doubt": doubtful}
    auditing.check_output(path, states)
