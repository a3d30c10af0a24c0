"""The process is killed at random instants and started again: nothing is lost, and only what may have been sent
goes out twice, each time with the same bytes and its first key."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.crash.counting import CountingServer

KILLS = int(os.environ.get("HAULIER_KILLS", "2"))
SEED = int(os.environ.get("HAULIER_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
RECORDS = 4_000
MALFORMED = frozenset({7, 700, 3_999})
CARRIER = Path(__file__).with_name("carrier.py")

SCENARIOS: dict[str, dict[str, Any]] = {
    "batches": {"batching": {"size": 10}, "limits": {"max_in_flight": 4}},
    "one by one": {"limits": {"max_in_flight": 64}},
    "two addresses": {"batching": {"size": 10}, "limits": {"max_in_flight": 4}, "path": "/to/{record.side}"},
    "faulty server": {"batching": {"size": 10}, "faults": 0.05, "retry": {"attempts": 5, "base_s": 0.01}},
    "piped, with an output": {"batching": {"size": 10}, "piped": True, "outputs": True},
}


def write_records(path: Path) -> None:
    lines = []
    for number in range(RECORDS):
        lines.append(
            json.dumps({"id": number, "side": "left" if number % 3 else "right", "text": "x" * (number % 50)})
        )
        if number in MALFORMED:
            lines[-1] = lines[-1][:-1]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_random_kills_lose_nothing_and_repeat_only_what_may_have_been_sent(
    scenario: str, tmp_path: Path
) -> None:
    options = dict(SCENARIOS[scenario])
    seed = SEED + list(SCENARIOS).index(scenario)
    chance = random.Random(seed)
    write_records(tmp_path / "records.jsonl")
    kills, repeats, rounds = 0, 0, 0
    while kills < KILLS:
        rounds += 1
        state = tmp_path / f"state{rounds}"
        with CountingServer(state / "carry" / "ledger.db", seed, faults=options.get("faults", 0.0)) as server:
            orders = make_orders(tmp_path, state, server.url, options)
            killed, repeated, report = carry(orders, server, chance, most=KILLS - kills)
            kills, repeats = kills + killed, repeats + repeated
            check_all_arrived(server, report)
            if options.get("outputs"):
                check_output(tmp_path / f"out{state.name}.jsonl", server)
    print(f"{scenario}: seed {seed}, {kills} kills in {rounds} runs, 0 lost, {repeats} requests repeated")


def make_orders(folder: Path, state: Path, url: str, options: dict[str, Any]) -> Path:
    destination: dict[str, Any] = {
        "name": "carry",
        "request": {"method": "POST", "url": url + options.get("path", "/records")},
        **{name: options[name] for name in ("batching", "limits", "retry") if name in options},
    }
    if options.get("outputs"):
        destination["outputs"] = [{"to": "jsonl", "path": f"out{state.name}.jsonl"}]
    orders = folder / "orders.json"
    orders.write_text(
        json.dumps(
            {
                "destination": destination,
                "records": str(folder / "records.jsonl"),
                "state": str(state),
                "piped": bool(options.get("piped")),
            }
        )
    )
    return orders


def carry(
    orders: Path, server: CountingServer, chance: random.Random, most: int
) -> tuple[int, int, dict[str, Any]]:
    """(kills, requests repeated, the last report): carried again and again until it comes to its end."""
    kills, repeats = 0, 0
    may_repeat: set[str] = set()
    while True:
        before = len(server.seen)
        known = {seen.key for seen in server.seen}
        process = subprocess.Popen(
            [sys.executable, str(CARRIER), str(orders)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=orders.parent,
            text=True,
        )
        if kills < most:
            deadline = time.monotonic() + chance.uniform(0.3, 1.8)
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.001)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
        out, err = process.communicate(timeout=60)
        again = {seen.key for seen in server.seen[before:]} & known
        assert again <= may_repeat, f"sent again without need: {again - may_repeat}"
        repeats += len(again)
        may_repeat = server.unsettled()
        if process.returncode == 0:
            report = json.loads(out)
            if report["state"] == "finished":
                return kills, repeats, report
        elif process.returncode != -signal.SIGKILL:
            raise AssertionError(err)


def check_all_arrived(server: CountingServer, report: dict[str, Any]) -> None:
    assert not server.without_intent, "left before its intent was durable"
    bodies: dict[str, tuple[bytes, list[int], str]] = {}
    for seen in server.seen:
        first = bodies.setdefault(seen.key, (seen.digest, seen.ids, seen.target))
        assert first == (seen.digest, seen.ids, seen.target), "one key, two bodies"
    arrived = sorted(number for _, ids, _ in bodies.values() for number in ids)
    assert arrived == [number for number in range(RECORDS) if number not in MALFORMED]
    assert report["read"] == RECORDS
    assert report["delivered"] == RECORDS - len(MALFORMED)
    assert report["rejected"] == len(MALFORMED)
    assert report["pending"] == report["sending"] == report["in_doubt"] == report["accepted"] == 0


def check_output(path: Path, server: CountingServer) -> None:
    """Every request and every malformed record has its line; a line may stand twice after a crash, never half."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    by_state: dict[str, set[int]] = {"delivered": set(), "rejected": set()}
    for line in lines:
        by_state[line["state"]].update(line["positions"])
    assert by_state == {"delivered": set(range(RECORDS)) - MALFORMED, "rejected": set(MALFORMED)}
