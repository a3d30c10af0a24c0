"""Every named instant at which a process can die, once, by SIGKILL, and what the next sitting makes of it.

The moments come from the seams of the product (`seams.py`), or from the server, which kills who sends. A point names
the moment of each sitting that dies; the sitting after the last one comes to its end. Whatever the point: nothing is
lost; those requests go out again of which the ledger says that they may have been sent, with the same bytes, and no
others; under `unanswered: park` none does, and exactly their records are in doubt; and every output has all lines.

A ledger's migration, killed at each statement, is in `tests/core/io/test_ledger_versions.py`; a chain, killed between
two stages, in `test_chain_kills.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.crash import auditing
from tests.crash.auditing import SEED, Left, Tally, left_in
from tests.crash.counting import CountingServer
from tests.crash.sittings import Nursery
from tests.crash.test_kills import destination_of, write_records

import haulier

RECORDS = 120
MALFORMED = frozenset({7, 63})
BAD = frozenset({11, 12, 85})
HALF, ANSWERED = "half a body", "an answer written"  # moments that the server sees


@dataclass(frozen=True)
class Point:
    """deaths: moment and for the how-many-th time, of each sitting that dies.

    seen: how many whole requests the server must have got until the first death; None: that is not sure. again: whether
    at least one request goes out twice. kind, options: as in the scenarios of `test_kills.py`.
    """

    name: str
    deaths: tuple[tuple[str, int], ...]
    seen: int | None = None
    again: bool = False
    kind: str = "file"
    options: dict[str, Any] = field(default_factory=dict)


def at(*deaths: str | tuple[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple((death, 1) if isinstance(death, str) else death for death in deaths)


OUTPUT: dict[str, Any] = {"output": True}
HALVES: dict[str, Any] = {"bad": BAD}
INTENTS, OUTCOMES = "commit of intents", "commit of outcomes"

POINTS = [
    Point("before the run is in the ledger", at("before beginning"), seen=0),
    Point("after the run is in the ledger", at("after beginning"), seen=0),
    Point("before the first intents", at(f"before {INTENTS}"), seen=0),
    Point("after the first intents, before sending", at(f"after {INTENTS}"), seen=0),
    Point("just before a request leaves", at(("before exchange", 4))),
    Point("in the middle of the first body", at((HALF, 1)), seen=0),
    Point("in the middle of a later body", at((HALF, 5))),
    Point("after the answer was written, maybe not read", at((ANSWERED, 5)), again=True),
    Point("after the first answer was read, before it is judged", at("after exchange"), seen=1, again=True),
    Point("after a later answer was read, before it is judged", at(("after exchange", 6)), again=True),
    Point("before the first outcomes", at(f"before {OUTCOMES}"), again=True),
    Point("after the first outcomes", at(f"after {OUTCOMES}")),
    Point("before the last outcomes are the end of the run", at("before ending")),
    Point("after the end of the run", at("after ending")),
    # Outputs
    Point("before the lines for the output", at("before commit of owed"), options=OUTPUT),
    Point("before outcomes with their lines", at(f"before {OUTCOMES}"), again=True, options=OUTPUT),
    Point("after the outcome, before the output has its line", at("before output write"), options=OUTPUT),
    Point("in the middle of the output's line", at("within output line"), options=OUTPUT),
    Point("after the output's line, before it is paid", at("after output write"), options=OUTPUT),
    Point("before the paid lines are durable", at("before commit of paid"), options=OUTPUT),
    Point("after the paid lines are durable", at("after commit of paid"), options=OUTPUT),
    # A batch that is refused whole
    Point("before a batch is split", at("before commit of split"), again=True, options=HALVES),
    Point("after a batch is split, before its parts leave", at("after commit of split"), options=HALVES),
    Point("before the intents of parts", at(("before commit of parts", 2)), options=HALVES),
    Point("after the intents of parts", at(("after commit of parts", 2)), options=HALVES),
    # Standard input
    Point("in the middle of spooling", at("within spooling"), seen=0, kind="stdin"),
    Point("at the end of spooling", at("after spool end"), kind="stdin"),
    Point("before the spool is on the disk", at("before spool sync"), seen=0, kind="stdin"),
    Point("after the spool is on the disk", at("after spool sync"), seen=0, kind="stdin"),
    # What cannot be read twice
    Point("before the first chunks", at("before commit of chunks"), seen=0, kind="pushed"),
    Point("after the first chunks", at("after commit of chunks"), kind="pushed"),
    Point("after an answer of a chunk", at(("after exchange", 6)), again=True, kind="pushed"),
    Point("after an answer of an iterator's records", at(("after exchange", 6)), again=True, kind="piped"),
    # Twice: in the resume as well
    Point("in a resume, when the ledger is open", at(("after exchange", 5), "after opening"), again=True),
    Point(
        "in a resume, when the input is compared", at(("after exchange", 5), "after verifying"), again=True
    ),
    Point("in a resume, before it is reopened", at(("after exchange", 5), "before reopening"), again=True),
    Point("in a resume, when it is reopened", at(("after exchange", 5), "after reopening"), again=True),
    Point("in a resume, before its intents", at(("after exchange", 5), f"before {INTENTS}"), again=True),
    Point("in a resume, after its intents", at(("after exchange", 5), f"after {INTENTS}"), again=True),
    Point("in a resume, in the middle of a body", at(("after exchange", 5), (HALF, 1)), again=True),
    Point("in a resume, after an answer", at(("after exchange", 5), "after exchange"), again=True),
    Point("in a resume, before its outcomes", at(("after exchange", 5), f"before {OUTCOMES}"), again=True),
    Point("in a resume, after its outcomes", at(("after exchange", 5), f"after {OUTCOMES}"), again=True),
    Point(
        "in a resume, in the middle of the output's line",
        at("after output write", "within output line"),
        options=OUTPUT,
    ),
    Point(
        "in a resume of a split batch",
        at("after commit of split", ("after commit of parts", 1)),
        options=HALVES,
    ),
    Point("three times at the same place", at(*[("after exchange", 2)] * 3), again=True),
    # Replays
    Point("before a replay is in the ledger", at("before beginning"), seen=0, kind="replayed"),
    Point("after a replay is in the ledger", at("after beginning"), seen=0, kind="replayed"),
    Point("in a replay, after its intents", at(f"after {INTENTS}"), seen=0, kind="replayed"),
    Point("in a replay, after an answer", at(("after exchange", 4)), again=True, kind="replayed"),
    Point("in a replay, before its outcomes", at(f"before {OUTCOMES}"), again=True, kind="replayed"),
    Point(
        "in the resume of a replay", at(("after exchange", 4), "after exchange"), again=True, kind="replayed"
    ),
    # Compaction of an earlier run
    Point("within compaction", at("within compacting"), seen=0, options={"earlier": True}),
    Point("between two steps of compaction", at("between compacting"), seen=0, options={"earlier": True}),
    Point("after compaction", at("after compacting"), seen=0, options={"earlier": True}),
]


@pytest.mark.parametrize("policy", ["resend", "park"])
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_killed_at(point: Point, policy: str, tmp_path: Path, nursery: Nursery, record_property: Any) -> None:
    tally = Tally(f"points, unanswered: {policy}")
    ledger = tmp_path / "state" / "carry" / "ledger.db"
    malformed: frozenset[int] = frozenset() if point.kind == "replayed" else MALFORMED
    write_records(tmp_path / "records.jsonl", malformed=malformed, records=RECORDS)
    try:
        with CountingServer(ledger, SEED, delay_s=0.005, bad=point.options.get("bad", frozenset())) as server:
            options = {
                "batching": {"size": 10},
                "limits": {"max_in_flight": 2},
                **point.options,
                "unanswered": policy,
            }
            orders = {
                "kind": point.kind,
                "destination": destination_of(server.url, options, "out.jsonl"),
                "records": str(tmp_path / "records.jsonl"),
                "state": str(tmp_path / "state"),
                "run_key": "run",
            }
            if point.options.get("earlier"):
                haulier.send(
                    orders["destination"], orders["records"], state=tmp_path / "state", run_key="earlier"
                )
            if point.kind == "replayed":
                orders["parent"] = fail_all(orders["destination"], tmp_path / "state", server.url)
            server.seen.clear()
            doubtful = die(point, policy, nursery, tmp_path, orders, server, tally)
            check_end(point, doubtful, tmp_path, orders, server, tally, rejected=malformed)
    finally:
        record_property("crash", tally.told())


def fail_all(made: dict[str, Any], state: Path, url: str) -> str:
    """A run whose records are all rejected before they are sent; its id."""
    failing = {**made, "request": {**made["request"], "url": f"{url}/{{record.gone}}"}}
    first = haulier.send(failing, [{"id": number} for number in range(RECORDS)], state=state)
    assert (first.rejected, first.state) == (RECORDS, "finished")
    return first.run_id


def die(
    point: Point,
    policy: str,
    nursery: Nursery,
    folder: Path,
    orders: dict[str, Any],
    server: CountingServer,
    tally: Tally,
) -> int:
    """Carry through all deaths to the end. Returns how many records must be in doubt."""
    left, doubtful = Left(), 0
    for number, death in enumerate([*point.deaths, None]):
        before = len(server.seen)
        known = {seen.key for seen in server.seen}
        refused = {seen.key for seen in server.seen if seen.status == 413}
        killed, report = sit(nursery, folder, orders, server, death)
        assert killed == (death is not None), f"it did not come to {death}"
        if not number and point.seen is not None:
            assert len(server.seen) == point.seen
        again = {seen.key for seen in server.seen[before:]} & known
        tally.kills += killed
        tally.repeated += len(again)
        if policy == "park":
            assert again <= refused, "only what the service refused whole goes out again"
        elif killed:
            assert again <= left.unsettled
        else:
            assert again == left.unsettled & known, (
                "all that may have been sent goes out again, and nothing else"
            )
        left = left_in(server.ledger, orders)
        assert left.delivered <= {seen.key for seen in server.seen if seen.status == 200}
        if policy == "park" and killed:
            doubtful = (left.run["in_doubt"] if left.run else 0) + sum(left.sending.values())
        elif not killed:
            assert report is not None
            assert report["state"] == "finished"
    assert policy == "park" or bool(tally.repeated) >= point.again
    return doubtful


def sit(
    nursery: Nursery,
    folder: Path,
    orders: dict[str, Any],
    server: CountingServer,
    death: tuple[str, int] | None,
) -> tuple[bool, dict[str, Any] | None]:
    """One sitting: whether it was killed, and its report."""
    moment, times = death or ("", 0)
    server.victim = 0
    server.count_anew(half_at=times if moment == HALF else 0, answered_at=times if moment == ANSWERED else 0)
    own = moment not in ("", HALF, ANSWERED)
    sitting = nursery.begin(folder, {**orders, "die": [moment, times] if own else None})
    server.victim = sitting.pid
    killed = sitting.end()
    server.quiet()
    return killed, sitting.report


def check_end(
    point: Point,
    doubtful: int,
    folder: Path,
    orders: dict[str, Any],
    server: CountingServer,
    tally: Tally,
    rejected: frozenset[int],
) -> None:
    run = left_in(server.ledger, orders).run
    assert run is not None
    tally.in_doubt = run["in_doubt"]
    assert not server.without_intent
    auditing.one_body_each(server.seen)
    took = auditing.arrived(server.seen)
    refused = rejected | point.options.get("bad", frozenset())
    positions = {
        row["position"] for row in auditing.records_in(server.ledger, run["run_id"], auditing.IN_DOUBT)
    }
    lost = set(range(RECORDS)) - refused - took - positions
    tally.lost = len(lost)
    assert not lost
    assert (run["read"], run["rejected"]) == (RECORDS, len(refused - positions))
    assert run["delivered"] + run["in_doubt"] == RECORDS - len(refused - positions)
    assert run["in_doubt"] == doubtful
    if point.options.get("output"):
        whole = set(range(RECORDS)) - rejected - positions
        states = {"delivered": whole, "rejected": rejected, "in_doubt": positions}
        auditing.check_output(folder / "out.jsonl", states)
