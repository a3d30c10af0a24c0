"""Records on their way through a chain: written with the outcome they come from, once, without gaps; let go in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.io.test_ledger_store import new_run

from haulier.io.ledger.rows import Commit, OnwardRow, RunRow
from haulier.io.ledger.store import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.create(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def stages(ledger: Ledger) -> tuple[RunRow, RunRow]:
    """The run of a chain, and that of its second stage."""
    run = msgspec.structs.replace(new_run(), run_id="abc", run_key="k", stage="upload")
    later = msgspec.structs.replace(run, run_id="abc.tag", run_key="abc.tag", stage="tag")
    started = ledger.start(run, [later])
    (tag,) = ledger.stages(started)
    return started, tag


def row(stages: tuple[RunRow, RunRow], parent_position: int, place: int = 0, **more: Any) -> OnwardRow:
    values: dict[str, Any] = {
        "root": parent_position,
        "places": "",
        "failed": None,
        "fault": None,
        "text": b'{"n":%d}' % parent_position,
    }
    return OnwardRow(
        run=stages[1].id,
        parent=stages[0].id,
        parent_position=parent_position,
        place=place,
        **{**values, **more},
    )


def test_records_get_the_positions_that_follow_and_count_as_read(
    ledger: Ledger, stages: tuple[RunRow, RunRow]
) -> None:
    run, tag = stages
    ledger.commit(run.id, [Commit(onward=[row(stages, 7), row(stages, 3)])])
    ledger.commit(run.id, [Commit(onward=[row(stages, 5)])])
    found = ledger.onward(tag, 0, most=10)
    assert [(one.position, one.root, one.text) for one in found] == [
        (0, 7, b'{"n":7}'),
        (1, 3, b'{"n":3}'),
        (2, 5, b'{"n":5}'),
    ]
    assert [one.position for one in ledger.onward(tag, 1, stop=2, most=10)] == [1]
    assert ledger.stages(run)[0].read == 3


def test_an_answer_that_is_taken_twice_adds_nothing_and_leaves_no_gap(
    ledger: Ledger, stages: tuple[RunRow, RunRow]
) -> None:
    run, tag = stages
    ledger.commit(run.id, [Commit(onward=[row(stages, 0), row(stages, 1)])])
    again = [row(stages, 1, text=b"{}"), row(stages, 2), row(stages, 0), row(stages, 1, 1)]
    ledger.commit(run.id, [Commit(onward=again)])
    found = ledger.onward(tag, 0, most=10)
    assert [(one.position, one.root, one.text) for one in found] == [
        (0, 0, b'{"n":0}'),
        (1, 1, b'{"n":1}'),
        (2, 2, b'{"n":2}'),
        (3, 1, b'{"n":1}'),
    ]
    assert ledger.stages(run)[0].read == 4


def test_texts_below_the_low_water_mark_are_let_go_and_what_explains_a_dead_letter_stays(
    ledger: Ledger, stages: tuple[RunRow, RunRow]
) -> None:
    run, tag = stages
    ledger.commit(run.id, [Commit(onward=[row(stages, number) for number in range(6)])])
    ledger.commit_all(
        {tag.id: [Commit(low_water=4, records=[(2, 4, None, "no", b"{}")])], run.id: [Commit()]}
    )
    assert [one.text for one in ledger.onward(tag, 0, most=10)] == [b"{}"] * 4 + [b'{"n":4}', b'{"n":5}']
    ledger.end(run, state="finished", reason="", ended=1.0)
    assert [(one.position, one.root) for one in ledger.onward(tag, 0, most=10)] == [(2, 2)]


def test_lines_of_all_stages_are_owed_by_the_run_of_the_chain(
    ledger: Ledger, stages: tuple[RunRow, RunRow]
) -> None:
    run, tag = stages
    ledger.commit_all(
        {tag.id: [Commit(owed=[(0, 0, b"a")], outbox=run.id)], run.id: [Commit(owed=[(1, 0, b"b")])]}
    )
    assert ledger.owed(run, output=0, after=-1, most=10) == [(0, b"a"), (1, b"b")]
    assert ledger.owing(tag) == {}
    ledger.commit(run.id, [Commit(paid=[0])])
    assert ledger.owed(run, output=0, after=-1, most=10) == [(1, b"b")]


def test_stages_are_no_runs_of_their_own_for_whoever_lists_finds_or_prunes(
    ledger: Ledger, stages: tuple[RunRow, RunRow]
) -> None:
    run, tag = stages
    assert [one.run_id for one in ledger.runs()] == ["abc"]
    assert ledger.run("ab") == run
    assert ledger.latest("abc.tag") is None
    ledger.commit(run.id, [Commit(onward=[row(stages, 0)])])
    ledger.end(run, state="finished", reason="", ended=1.0)
    assert ledger.stages(run)[0].state == "finished"
    ledger.start(msgspec.structs.replace(new_run(), run_id="next", run_key="n"))
    assert ledger.prune(1).removed == ("abc",)
    assert ledger.onward(tag, 0, most=10) == []
    assert [one.run_id for one in ledger.runs()] == ["next"]
