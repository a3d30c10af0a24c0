"""A chain with a job in it is killed at random instants: upload, categorize as a job, delete, against the emulator.

A result is given once. So whoever was killed with one on its way has its records in doubt, and nobody asks again; a
picture is deleted only after the result it had a part in is durable.
"""

from __future__ import annotations

import json
import random
import sqlite3
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from tests.crash.auditing import SEED, Tally
from tests.crash.sittings import Nursery
from tests.crash.test_kills import folders, killed_to_its_end

from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, ImaggaEmulator, serve

RECORDS, SIZE = 24, 4
PICTURE = (Path(__file__).parents[2] / "examples" / "pictures" / "shapes.png").read_bytes()
UPLOAD_ID = "{record.upload.result.upload_id}"


class Imagga:
    """The emulator, which looks into the ledger before each deletion. early: those without a durable result."""

    def __init__(self, ledger: Path) -> None:
        self.emulator = ImaggaEmulator(polls=0, monthly_limit=1_000_000)
        self.deleted: set[str] = set()
        self.early: list[str] = []
        self._ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "DELETE":
            self.deleted.add(scope["path"])
            if len(self.deleted) > self._with_result():
                self.early.append(scope["path"])
        await self.emulator(scope, receive, send)

    def _with_result(self) -> int:
        """Of how many pictures the ledger has the result of their job, durably and now."""
        with closing(sqlite3.connect(f"file:{self._ledger}?mode=ro", uri=True, timeout=10)) as db:
            (count,) = db.execute(
                "select coalesce(sum(count), 0) from request join job using (id) where answer is not null"
            ).fetchone()
        return int(count)

    @property
    def asked(self) -> Counter[str]:
        """How often each ticket was asked for."""
        return Counter(one.path for one in self.emulator.requests if "/tickets/" in one.path)

    @property
    def jobs(self) -> int:
        """How many calls that start one arrived."""
        return sum(one.path == "/v2/batches" for one in self.emulator.requests)


@contextmanager
def served(folder: Path) -> Iterator[tuple[Imagga, dict[str, Any]]]:
    """The service, and the orders of a run that reaches it."""
    folder.mkdir(exist_ok=True)
    records = folder / "records.jsonl"
    text = b64encode(PICTURE).decode()
    records.write_text(
        "".join(json.dumps({"id": number, "picture": text}) + "\n" for number in range(RECORDS))
    )
    imagga = Imagga(folder / "state" / "chained" / "ledger.db")
    with serve(imagga) as server:
        destination = {
            "name": "chained",
            "connector": "imagga",
            "base_url": server.url,
            "key": "id",
            "limits": {"requests_per_second": 1_000, "max_in_flight": 2},
            "outputs": [{"to": "jsonl", "path": "out.jsonl"}],
            "stages": stages(),
        }
        credential = {"api_key": DEMO_KEY, "api_secret": DEMO_SECRET, "origins": [server.url]}
        orders = {"destination": destination, "records": str(records), "state": str(folder / "state")}
        yield imagga, {**orders, "credential": credential}


def stages() -> list[dict[str, Any]]:
    upload = {
        "endpoint": "upload-image",
        "content_format": "form",
        "params": {"image_base64": "{record.picture}"},
    }
    job = {
        "endpoint": "start-batch",
        "add": {"params.image_upload_id": UPLOAD_ID, "params.categorizer_id": "personal_photos"},
        "batching": {
            "size": SIZE,
            "item": ["params"],
            "grouping": {"name": "property", "property_name": "/categories"},
        },
    }
    delete = {"endpoint": "delete-upload", "params": {"uploadId": UPLOAD_ID}, "after": "settled"}
    return [{"name": "upload", **upload}, {"name": "categorize", **job}, {"name": "delete", **delete}]


def check(imagga: Imagga, report: dict[str, Any], folder: Path, tally: Tally) -> int:
    """Every picture came to its end, or its result may be lost and it is told; how many are so."""
    ended = {}
    for line in map(json.loads, (folder / "out.jsonl").read_text().splitlines()):
        assert ended.setdefault(line["key"], (line["stage"], line["state"])) == (line["stage"], line["state"])
    lost = set(range(RECORDS)) - set(ended)
    tally.lost += len(lost)
    assert not lost
    ends = Counter(ended.values())
    doubtful = ends["categorize", "in_doubt"]
    assert ends == Counter(
        {("delete", "delivered"): RECORDS - doubtful, ("categorize", "in_doubt"): doubtful}
    )
    tally.in_doubt += doubtful
    told = [(one["read"], one["delivered"], one["in_doubt"]) for one in report["stages"]]
    through = RECORDS - doubtful
    assert (report["state"], told) == (
        "finished",
        [(RECORDS, RECORDS, 0), (RECORDS, through, doubtful), (through, through, 0)],
    )
    assert set(imagga.asked.values()) == {1}, "a ticket was asked for again, though its result is given once"
    assert imagga.early == [], "deleted before the result was durable"
    assert len(imagga.deleted) == through
    keys = Counter(one.header("idempotency-key") for one in imagga.emulator.requests if one.method != "GET")
    tally.repeated += sum(keys.values()) - len(keys)
    return doubtful


def test_random_kills_in_a_chain_with_a_job_lose_nothing_and_ask_for_no_result_twice(
    tmp_path: Path, nursery: Nursery, record_property: Any
) -> None:
    tally, chance = Tally("a job in a chain", SEED), random.Random(f"{SEED} job")
    try:
        for folder in folders(tmp_path, tally):
            before = tally.kills
            with served(folder) as (imagga, orders):
                report = killed_to_its_end(nursery, folder, orders, chance, tally)
                assert check(imagga, report, folder, tally) <= SIZE * (tally.kills - before)
    finally:
        record_property("crash", tally.told())


@pytest.mark.parametrize("death", ["before commit of jobs", "after commit of jobs"])
def test_killed_around_a_ticket_its_job_is_followed_or_begun_again(
    death: str, tmp_path: Path, nursery: Nursery, record_property: Any
) -> None:
    """before: the ticket came and was lost, so nobody knows of that job; after: it is durable, and asked for."""
    tally = Tally("points, a job in a chain")
    with served(tmp_path) as (imagga, orders):
        assert nursery.begin(tmp_path, {**orders, "die": [death, 2]}).end(), f"it did not come to {death}"
        tally.kills += 1
        sitting = nursery.begin(tmp_path, orders)
        assert not sitting.end()
        assert sitting.report is not None
        try:
            # The first job may have been asked for that very instant.
            assert check(imagga, sitting.report, tmp_path, tally) in (0, SIZE)
        finally:
            record_property("crash", tally.told())
        assert imagga.jobs == RECORDS // SIZE + (death == "before commit of jobs")
