"""Compaction and pruning: a ledger stays small, and says what it said before."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.io.test_ledger_store import new_run

from haulier.io.ledger.rows import Commit, ReplayRow, RunRow, intent_row
from haulier.io.ledger.store import Ledger
from haulier.model.delivery import State
from haulier.model.request import Positions, Request
from haulier.pipeline.planner import idempotency_key


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.create(tmp_path / "d")) as opened:
        yield opened


def request(run: RunRow, number: int, positions: Positions, *, keyed: bool = True) -> Request:
    digest = sha256(b"%d" % number).digest()
    key = idempotency_key(run.run_id, positions, digest) if keyed else ""
    return Request(
        number=number,
        positions=positions,
        method="POST",
        url="http://127.0.0.1/",
        headers=(),
        body=b"",
        length=0,
        sha256=digest,
        key=key,
    )


Outcome = tuple[State, int | None, int, str | None, str | None]
DELIVERED: Outcome = (State.DELIVERED, 200, 1, None, None)


def finished(
    ledger: Ledger,
    name: str,
    requests: list[tuple[Positions, Outcome]],
    *,
    keyed: bool = True,
    key: str = "key",
) -> RunRow:
    """A finished run of these requests; what was rejected or is in doubt has a row of its own."""
    run = ledger.start(new_run(name, run_key=key))
    commit = Commit()
    for number, (positions, outcome) in enumerate(requests):
        row = intent_row(run.id, request(run, number, positions, keyed=keyed), b"stored")
        commit.intents.append(row)
        commit.outcomes.append((*outcome, row[0]))
        commit.read += len(positions)
        if outcome[0] in (State.REJECTED, State.IN_DOUBT):
            commit.records += [(position, outcome[0], number, "why", b"{}") for position in positions]
    ledger.commit(run.id, [commit])
    ledger.end(run, state="finished", reason="", ended=2.0)
    return found(ledger, name)


def found(ledger: Ledger, name: str) -> RunRow:
    run = ledger.run(name)
    assert run is not None
    return run


def told(ledger: Ledger, run: RunRow) -> list[Any]:
    """All that a ledger says of a run."""
    return [list(ledger.requests(run)), list(ledger.records(run)), ledger.cost(run), ledger.sending(run)]


def size(ledger: Ledger, table: str) -> int:
    return int(ledger._db.execute(f"select count(*) from {table}").fetchone()[0])


def test_what_was_delivered_at_once_takes_one_row_and_its_hashes(ledger: Ledger) -> None:
    run = finished(ledger, "a", [(range(at * 100, at * 100 + 100), DELIVERED) for at in range(2500)])
    before = told(ledger, run)
    ledger.compact()
    assert told(ledger, found(ledger, "a")) == before
    assert (size(ledger, "request"), size(ledger, "merged")) == (0, 3)
    assert found(ledger, "a").compacted == 1


OUTCOMES: list[Outcome] = [
    DELIVERED,
    DELIVERED,
    DELIVERED,
    (State.DELIVERED, 201, 1, None, None),
    (State.DELIVERED, 200, 3, None, None),
    (State.DELIVERED, 200, 1, "in part", None),
    (State.ACCEPTED, 202, 1, None, "ticket"),
    (State.REJECTED, 422, 1, "why", None),
    (State.IN_DOUBT, None, 1, "no answer", None),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.tuples(st.integers(1, 3), st.sampled_from(OUTCOMES), st.booleans()), max_size=30),
    keyed=st.booleans(),
)
def test_compaction_takes_nothing_away_that_can_be_asked_for(
    sizes: list[tuple[int, Outcome, bool]], keyed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the run was like: batches of any size, scattered positions, tickets, repeats, requests without keys."""
    requests: list[tuple[Positions, Outcome]] = []
    at = 0
    for count, outcome, scattered in sizes:
        positions = array("q", range(at, at + 2 * count, 2)) if scattered else range(at, at + count)
        requests.append((positions, outcome))
        at += 2 * count
    with closing(Ledger.create(tmp_path_factory.mktemp("d"))) as ledger:
        run = finished(ledger, "a", requests, keyed=keyed)
        before = told(ledger, run)
        ledger.compact()
        assert told(ledger, found(ledger, "a")) == before
        assert ledger._db.execute("select count(*) from request where stored is not null").fetchone() == (0,)


def test_keys_that_would_come_out_otherwise_are_kept(ledger: Ledger) -> None:
    run = finished(ledger, "a", [(range(at, at + 1), DELIVERED) for at in range(5)])
    ledger._db.execute("update request set key = 'of another rule'")
    before = told(ledger, run)
    ledger.compact()
    assert told(ledger, found(ledger, "a")) == before
    assert size(ledger, "request") == 5


def test_unfinished_runs_are_left_alone(ledger: Ledger) -> None:
    run = finished(ledger, "a", [(range(at, at + 1), DELIVERED) for at in range(5)])
    ledger.reopen(run)
    ledger.compact()
    assert (size(ledger, "request"), found(ledger, "a").compacted) == (5, 0)


def test_a_finished_run_has_every_record_below_its_low_water_mark(ledger: Ledger) -> None:
    assert finished(ledger, "a", [(range(7), DELIVERED)]).low_water == 7


# -- pruning ---------------------------------------------------------------------------------------------------------


def names(ledger: Ledger) -> list[str]:
    return [run.run_id for run in ledger.runs()]


def test_the_newest_runs_stay_and_of_others_nothing(ledger: Ledger) -> None:
    for name in "abcde":
        finished(ledger, name, [(range(3), DELIVERED), (range(3, 6), DELIVERED)], key=name)
    ledger.commit(1, [Commit(chunks=[("c", 0, 6, None)], owed=[(0, 0, b"line")], slow=[(0, 1.0)])])
    pruned = ledger.prune(2, unfinished=True)
    assert (pruned.removed, pruned.kept, names(ledger)) == (("a", "b", "c"), (), ["e", "d"])
    assert [size(ledger, table) for table in ("merged", "request", "record", "chunk", "owed", "slow")] == [
        2,
        0,
        0,
        0,
        0,
        0,
    ]


def test_unfinished_runs_and_unreplayed_dead_letters_stay(ledger: Ledger) -> None:
    rejected: Outcome = (State.REJECTED, 422, 1, "why", None)
    open_run = ledger.start(new_run("open", run_key="1"))
    finished(ledger, "letters", [(range(2), rejected)], key="2")
    finished(ledger, "plain", [(range(2), DELIVERED)], key="3")
    finished(ledger, "new", [(range(2), DELIVERED)], key="4")
    pruned = ledger.prune(1)
    assert (pruned.removed, pruned.kept) == (("plain",), ("letters",))
    assert names(ledger) == ["new", "letters", open_run.run_id]
    assert ledger.prune(1, dead_letters=True).removed == ("letters",)


def test_a_finished_run_whose_outputs_lack_lines_stays_and_is_named(ledger: Ledger) -> None:
    owing = finished(ledger, "owing", [(range(2), DELIVERED)], key="1")
    ledger.commit(owing.id, [Commit(owed=[(0, 0, b"line")])])
    finished(ledger, "plain", [(range(2), DELIVERED)], key="2")
    finished(ledger, "new", [(range(2), DELIVERED)], key="3")
    pruned = ledger.prune(1, dead_letters=True)
    assert (pruned.removed, pruned.kept, pruned.owing) == (("plain",), (), ("owing",))
    assert size(ledger, "owed") == 1
    assert ledger.prune(1, unfinished=True).removed == ("owing",)
    assert size(ledger, "owed") == 0


def test_replayed_dead_letters_keep_no_run_unless_the_replay_is_unfinished(ledger: Ledger) -> None:
    run = finished(ledger, "letters", [(range(2), (State.REJECTED, 422, 1, "why", None))], key="1")
    rows = [ReplayRow(parent=run.id, parent_position=at, text=b"{}") for at in range(2)]
    replay = ledger.start_replay(new_run("replay", run_key="2"), rows)
    assert replay.parent == "letters"
    finished(ledger, "new", [(range(2), DELIVERED)], key="3")
    assert ledger.prune(1).removed == ()
    ledger.end(replay, state="finished", reason="", ended=2.0)
    assert ledger.prune(1).removed == ("letters", "replay")
    assert size(ledger, "replay") == 0


def test_a_run_whose_place_another_took_goes_though_it_never_finished(ledger: Ledger) -> None:
    superseded = ledger.start(new_run("superseded"))
    ledger.end(superseded, state="stopped", reason="superseded", ended=2.0)
    finished(ledger, "new", [(range(2), DELIVERED)])
    assert ledger.prune(1).removed == ("superseded",)


def test_the_disk_gets_its_room_back(ledger: Ledger) -> None:
    for name in "ab":
        finished(
            ledger, name, [(array("q", [at * 3, at * 3 + 2]), DELIVERED) for at in range(5000)], key=name
        )
    ledger._db.execute("pragma wal_checkpoint(truncate)")
    before = ledger.path.stat().st_size
    ledger.prune(1)
    ledger._db.execute("pragma wal_checkpoint(truncate)")
    assert ledger.path.stat().st_size < before * 0.6


def test_ids_are_never_given_twice_while_a_run_is_kept(ledger: Ledger) -> None:
    for name in "ab":
        finished(ledger, name, [(range(2), DELIVERED)], key=name)
    ledger.prune(1)
    assert ledger.start(msgspec.structs.replace(new_run("c"), run_key="c")).id == 3
