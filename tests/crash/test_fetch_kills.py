"""A run that fetches pictures by URL is killed at random instants, and around a fetch and what is kept of it.

The server of the pictures gives another one each time it is asked. So a request that went out twice went out with the
same picture only where that was kept.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.wire import Asked, Wire, answer
from tests.crash.auditing import SEED, Tally
from tests.crash.sittings import Nursery
from tests.crash.test_kills import folders, killed_to_its_end

RECORDS = 60
GONE = frozenset({5, 41})


def picture(asked: Asked) -> bytes:
    """One that nobody else gets; of some records there is none."""
    if int(asked.target[1:-4]) in GONE:
        return answer(404)
    return answer(body=b"picture %d of %s" % (asked.number, asked.target.encode()), media_type="image/png")


def orders_for(folder: Path, store: Wire, wire: Wire, **more: Any) -> dict[str, Any]:
    records = folder / "records.jsonl"
    records.write_text(
        "".join(
            json.dumps({"id": number, "picture": f"{store.url}/{number}.png"}) + "\n"
            for number in range(RECORDS)
        )
    )
    destination = {
        "name": "fetching",
        "key": "id",
        "request": {
            "url": f"{wire.url}/{{record.id}}",
            "content_format": "multipart",
            "files": {"image": "{record.picture}"},
            "attributes": "none",
        },
        "fetch": {"allow": ["127.0.0.1"]},
        "limits": {"max_in_flight": 4},
        "outputs": [{"to": "jsonl", "path": "out.jsonl"}],
    }
    return {"destination": destination, "records": str(records), "state": str(folder / "state"), **more}


def check(wire: Wire, report: dict[str, Any], folder: Path, tally: Tally) -> None:
    """Each record that has a picture arrived, always with the same one; nothing of them is kept."""
    arrived: dict[int, list[tuple[str | None, bytes]]] = defaultdict(list)
    for asked in wire.asked:
        arrived[int(asked.target[1:])].append((asked.header("idempotency-key"), asked.body))
    tally.repeated += sum(len(sent) - 1 for sent in arrived.values())
    lost = set(range(RECORDS)) - GONE - set(arrived)
    tally.lost += len(lost)
    assert not lost
    assert {number for number, sent in arrived.items() if len(set(sent)) > 1} == set(), "two pictures of one"
    counts = {name: report[name] for name in ("state", "read", "delivered", "rejected", "in_doubt")}
    assert counts == {
        "state": "finished",
        "read": RECORDS,
        "delivered": RECORDS - len(GONE),
        "rejected": len(GONE),
        "in_doubt": 0,
    }
    told = {
        line["key"]: line["state"]
        for line in map(json.loads, (folder / "out.jsonl").read_text().splitlines())
    }
    assert told == {number: "rejected" if number in GONE else "delivered" for number in range(RECORDS)}
    assert list(folder.glob("state/fetching/fetched/[!.]*")) == []


def test_random_kills_lose_no_record_that_names_its_picture_by_url(
    tmp_path: Path, nursery: Nursery, record_property: Any
) -> None:
    tally, chance = Tally("files by URL", SEED), random.Random(f"{SEED} fetch")
    try:
        for folder in folders(tmp_path, tally):
            with Wire(picture) as store, Wire(delay_s=0.004) as wire:
                orders = orders_for(folder, store, wire)
                report = killed_to_its_end(nursery, folder, orders, chance, tally)
                check(wire, report, folder, tally)
    finally:
        record_property("crash", tally.told())


@pytest.mark.parametrize(
    "death",
    [
        ("after fetching", 3),  # the pictures are there, their requests are not
        ("after commit of intents", 2),  # they are in a request, which did not leave
        ("before letting go of files", 12),  # an outcome is durable, its picture still kept
        ("after letting go of files", 12),
        ("after ending", 1),
    ],
    ids=lambda death: death[0],
)
def test_killed_around_a_picture_the_same_one_goes_out(
    death: tuple[str, int], tmp_path: Path, nursery: Nursery, record_property: Any
) -> None:
    tally = Tally("points, files by URL")
    with Wire(picture) as store, Wire(delay_s=0.004) as wire:
        orders = orders_for(tmp_path, store, wire)
        assert nursery.begin(tmp_path, {**orders, "die": death}).end(), f"it did not come to {death}"
        tally.kills += 1
        sitting = nursery.begin(tmp_path, orders)
        assert not sitting.end()
        assert sitting.report is not None
        try:
            check(wire, sitting.report, tmp_path, tally)
        finally:
            record_property("crash", tally.told())
