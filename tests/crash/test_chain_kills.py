"""A chain is killed at random instants, and between an outcome and the intent that follows from it: no record is lost
in any stage, and what goes out twice has the same bytes and its first key."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from tests.crash.auditing import SEED, Tally
from tests.crash.sittings import Nursery
from tests.crash.test_kills import folders, killed_to_its_end

RECORDS = 150
REFUSED = frozenset({17, 130})
CHAINED = Path(__file__).with_name("chained.py")
STAGES = ("upload", "tag", "delete")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Clients are killed here: a connection that breaks off is what is wished for."""


class Service:
    """Uploads, tags and deletes; keeps (stage, id) -> the keys and bodies it was asked with, whole requests only."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], list[tuple[str, bytes]]] = defaultdict(list)
        self.early: list[str] = []

    def __enter__(self) -> Self:
        owner, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stage, number = self.path.split("/")[1], json.loads(body)["id"]
                before = STAGES[STAGES.index(stage) - 1] if stage != "upload" else ""
                with lock:
                    owner.seen[stage, number].append((self.headers["Idempotency-Key"], body))
                    if before and (before, number) not in owner.seen:
                        owner.early.append(self.path)
                time.sleep(0.004)
                refused = stage == "tag" and number in REFUSED
                said = {"result": {"upload_id": f"u{number}"}} if stage == "upload" else {"ok": not refused}
                answer = json.dumps(said).encode()
                self.send_response(400 if refused else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"


def orders_for(folder: Path, url: str, **more: Any) -> Path:
    records = folder / "records.jsonl"
    records.write_text("".join(f'{{"id":{number}}}\n' for number in range(RECORDS)))
    upload_id = "{record.upload.result.upload_id}"
    stages = [
        {"name": "upload", "request": {"method": "POST", "url": f"{url}/upload"}},
        {"name": "tag", "request": {"method": "POST", "url": f"{url}/tag/{upload_id}"}},
        {
            "name": "delete",
            "request": {"method": "POST", "url": f"{url}/delete/{upload_id}"},
            "exclude": ["upload", "tag"],
            "after": "settled",
        },
    ]
    destination = {
        "name": "chained",
        "key": "id",
        "limits": {"max_in_flight": 6},
        "outputs": [{"to": "jsonl", "path": "out.jsonl"}],
        "stages": stages,
    }
    orders = folder / "orders.json"
    orders.write_text(
        json.dumps(
            {"destination": destination, "records": str(records), "state": str(folder / "state"), **more}
        )
    )
    return orders


def start(orders: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHAINED), str(orders)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=orders.parent,
        text=True,
    )


def finish(orders: Path) -> dict[str, Any]:
    """Carried to its end without being killed; its report."""
    process = start(orders)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    report: dict[str, Any] = json.loads(out)
    return report


def check(service: Service, report: dict[str, Any], folder: Path) -> int:
    """Every record passed each stage, with one key and one body in each; how many requests came more than once."""
    assert service.early == [], "a stage was asked before the one it follows"
    assert set(service.seen) == {(stage, number) for stage in STAGES for number in range(RECORDS)}
    for (stage, number), asked in service.seen.items():
        assert len(set(asked)) == 1, f"{stage} {number}: one request, two keys or bodies"
    assert report["state"] == "finished"
    states = ("pending", "sending", "delivered", "accepted", "rejected", "in_doubt")
    told = {one["name"]: {name: one[name] for name in ("read", *states)} for one in report["stages"]}
    nothing = dict.fromkeys(states, 0)
    whole = {**nothing, "read": RECORDS, "delivered": RECORDS}
    tag = {**whole, "delivered": RECORDS - len(REFUSED), "rejected": len(REFUSED)}
    assert told == {"upload": whole, "tag": tag, "delete": whole}
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert {line["key"] for line in lines} == set(range(RECORDS))
    assert len({line["id"] for line in lines}) == RECORDS
    assert {line["key"] for line in lines if line["state"] != "delivered"} == REFUSED
    return sum(len(asked) - 1 for asked in service.seen.values())


def missing_in(service: Service) -> int:
    """Records that a stage was not asked about."""
    return len(STAGES) * RECORDS - len(service.seen)


def test_a_chain_that_is_killed_at_random_loses_nothing_in_any_stage(
    tmp_path: Path, nursery: Nursery, record_property: Any
) -> None:
    tally = Tally("chain", SEED)
    chance = random.Random(f"{SEED} chain")
    try:
        for folder in folders(tmp_path, tally):
            with Service() as service:
                orders = json.loads(orders_for(folder, service.url).read_text())
                report = killed_to_its_end(nursery, folder, orders, chance, tally)
                tally.lost += missing_in(service)
                tally.repeated += check(service, report, folder)
    finally:
        record_property("crash", tally.told())


@pytest.mark.parametrize("after", [1, 2, 100])
def test_a_kill_between_an_outcome_and_the_intent_of_the_next_stage_loses_nothing(
    after: int, tmp_path: Path, record_property: Any
) -> None:
    """The outcome and the record it makes are in the ledger, the next stage has not heard of it."""
    with Service() as service:
        killed = start(orders_for(tmp_path, service.url, kill_between=after))
        killed.communicate(timeout=60)
        assert killed.returncode == -signal.SIGKILL
        tally = Tally("points, between two stages", kills=1)
        report = finish(orders_for(tmp_path, service.url))
        tally.lost = missing_in(service)
        try:
            tally.repeated = check(service, report, tmp_path)
        finally:
            record_property("crash", tally.told())
