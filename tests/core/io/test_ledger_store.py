"""The ledger on disk: what is committed is there, counts add up, and nobody else's file is touched."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import LedgerError
from haulier.io.ledger.opening import ledger_path, open_to_read
from haulier.io.ledger.rows import (
    NOT_SENT,
    Commit,
    RunRow,
    intent_row,
    pack_positions,
    unpack_positions,
)
from haulier.io.ledger.schema import APPLICATION_ID, VERSION
from haulier.io.ledger.store import Ledger, LedgerView
from haulier.model.delivery import State
from haulier.model.request import Positions, Request
from haulier.runs.reports.report import report_of


def new_run(name: str = "r1", **more: Any) -> RunRow:
    values: dict[str, Any] = dict.fromkeys(("read", "low_water", "delivered", "accepted", "rejected"), 0)
    values |= {
        "in_doubt": 0,
        "attempts": 0,
        "id": 0,
        "run_id": name,
        "run_key": "key",
        "parent": "",
        "state": "open",
    }
    values |= {
        "reason": "",
        "started": 1.0,
        "ended": None,
        "source": "x.jsonl",
        "fingerprint": "f",
        "settings": "{}",
    }
    return RunRow(**{**values, "way": "untouched", "digest": None, **more})


def request(number: int, positions: Positions) -> Request:
    return Request(
        number=number,
        positions=positions,
        method="POST",
        url="http://127.0.0.1/",
        headers=(),
        body=b"{}",
        length=2,
        sha256=sha256(b"{}").digest(),
        key=f"key{number}",
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.create(tmp_path / "d")) as opened:
        yield opened


def row_of(ledger: LedgerView, name: str = "r1") -> RunRow:
    found = ledger.run(name)
    assert found is not None
    return found


def steps_of(ask: Callable[[LedgerView, RunRow], object], folder: Path, delivered: int) -> int:
    """What SQLite goes through to answer, in a ledger with so many delivered requests and one that is under way."""
    with closing(Ledger.create(folder)) as ledger:
        run = ledger.start(new_run())
        rows = [intent_row(run.id, request(number, range(1)), None) for number in range(delivered + 1)]
        ledger.commit(
            run.id, [Commit(intents=rows, delivered_at_once={(200, 1): [row[0] for row in rows[1:]]})]
        )
    path, counted = ledger_path(folder), count()
    with closing(open_to_read(path)) as db:
        db.set_progress_handler(lambda: next(counted) < 0, 1)
        view = LedgerView(db, path)
        assert ask(view, row_of(view))
    return next(counted)


ASKED: dict[str, Callable[[LedgerView, RunRow], object]] = {
    "sending": LedgerView.sending,
    "under way": LedgerView.under_way,
    "unsettled": LedgerView.unsettled,
    "the report": lambda view, run: report_of(view, run, "d"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_what_has_no_outcome_is_found_without_a_look_at_what_has(asked: str, tmp_path: Path) -> None:
    """A run ends with its report: it would wait for that, the longer the more it has carried."""
    many, few = (steps_of(ASKED[asked], tmp_path / str(count), count) for count in (500, 5))
    assert many == few


def test_a_commit_is_durable_and_readable_beside_the_writer(ledger: Ledger, tmp_path: Path) -> None:
    run = ledger.start(new_run())
    sent = request(0, range(3))
    ledger.commit(
        run.id,
        [Commit(intents=[intent_row(run.id, sent, None)], read=3, low_water=0, digest=partial(bytes, b"d"))],
    )
    with closing(LedgerView.open(tmp_path / "d")) as view:
        assert (row_of(view).read, row_of(view).digest, view.sending(run)) == (3, b"d", 3)
        (left,) = view.unsettled(run)
        assert (left.number, left.positions, left.key, left.state) == (0, range(3), "key0", State.SENDING)
        assert left.may_have_been_sent


def test_counts_add_up_over_commits_and_low_water_never_falls(ledger: Ledger) -> None:
    run = ledger.start(new_run())
    ledger.commit(
        run.id,
        [
            Commit(read=5, low_water=4, delivered=2),
            Commit(read=9, low_water=6, rejected=1, digest=partial(bytes, b"1")),
        ],
    )
    ledger.commit(run.id, [Commit(read=0, low_water=0, accepted=3, in_doubt=1, attempts=7)])
    row = row_of(ledger)
    assert (row.read, row.low_water, row.digest) == (9, 6, b"1")
    assert (row.delivered, row.rejected, row.accepted, row.in_doubt, row.attempts) == (2, 1, 3, 1, 7)


def test_a_request_tried_again_keeps_its_row_its_key_and_its_attempts(ledger: Ledger) -> None:
    run = ledger.start(new_run())
    sent = request(4, array("q", [1, 5, 9]))
    row = intent_row(run.id, sent, b"stored")
    ledger.commit(run.id, [Commit(intents=[row])])
    ledger.commit(run.id, [Commit(outcomes=[(State.PENDING, 429, 5, "busy", None, row[0])])])
    (left,) = ledger.unsettled(run)
    assert (left.state, left.attempts, left.status, left.may_have_been_sent) == (State.PENDING, 5, 429, False)
    ledger.commit(run.id, [Commit(intents=[row])])
    (left,) = ledger.unsettled(run)
    assert (left.state, left.attempts, list(left.positions), left.stored) == (
        State.SENDING,
        5,
        [1, 5, 9],
        b"stored",
    )
    ledger.commit(run.id, [Commit(outcomes=[(State.DELIVERED, 200, 1, None, None, row[0])])])
    assert ledger.unsettled(run) == []
    assert [(one["number"], one["state"], one["attempts"]) for one in ledger.requests(run)] == [(4, 2, 6)]
    assert ledger.next_number(run) == 5


@pytest.mark.parametrize(
    ("status", "attempts", "expected"),
    [
        (NOT_SENT, 0, False),
        (NOT_SENT, 5, False),
        (None, 0, True),
        (None, 1, True),
        (408, 1, True),
        (429, 3, False),
        (500, 1, True),
        (400, 1, False),
    ],
)
def test_what_may_have_been_sent(ledger: Ledger, status: int | None, attempts: int, expected: bool) -> None:
    run = ledger.start(new_run())
    row = intent_row(run.id, request(0, range(1)), None)
    ledger.commit(
        run.id, [Commit(intents=[row], outcomes=[(State.PENDING, status, attempts, None, None, row[0])])]
    )
    assert ledger.unsettled(run)[0].may_have_been_sent is expected


def test_two_runs_in_one_ledger_keep_apart(ledger: Ledger) -> None:
    first, second = ledger.start(new_run("a1")), ledger.start(new_run("b1", run_key="other"))
    for run in (first, second):
        ledger.commit(
            run.id,
            [
                Commit(
                    intents=[intent_row(run.id, request(0, range(run.id)), None)],
                    records=[(7, State.REJECTED, None, f"of {run.run_id}", b"{}")],
                    owed=[(0, 0, run.run_id.encode())],
                    chunks=[("c", 0, run.id, b"sha")],
                )
            ],
        )
    assert [list(one.positions) for one in ledger.unsettled(second)] == [[0, 1]]
    assert [one["reason"] for one in ledger.records(first)] == ["of a1"]
    assert ledger.owed(second, output=0, after=-1, most=9) == [(0, b"b1")]
    assert ledger.chunks(second) == {"c": (0, 2, b"sha")}
    ledger.commit(first.id, [Commit(paid=[0])])
    assert (ledger.owing(first), ledger.owing(second)) == ({}, {0: (1, 0)})
    assert ledger.latest("key") == row_of(ledger, "a1")
    assert (ledger.run("b"), ledger.run("")) == (row_of(ledger, "b1"), None)


def test_positions_known_above_the_low_water_mark(ledger: Ledger) -> None:
    run = ledger.start(new_run())
    rows = [
        intent_row(run.id, request(number, positions), None)
        for number, positions in enumerate([range(10), range(10, 14), array("q", [15, 20]), range(30, 33)])
    ]
    ledger.commit(
        run.id, [Commit(intents=rows, low_water=12, records=[(25, State.REJECTED, None, "", None)])]
    )
    known = {position for part in ledger.known_above(row_of(ledger)) for position in part}
    assert {position for position in known if position >= 12} == {12, 13, 15, 20, 25, 30, 31, 32}


@given(st.sets(st.integers(0, 2**62), min_size=1, max_size=30))
def test_positions_come_back_as_they_were(positions: set[int]) -> None:
    found = array("q", sorted(positions))
    assert unpack_positions(found[0], len(found), pack_positions(found)) == found
    one = range(found[0], found[0] + 5)
    assert unpack_positions(one[0], 5, pack_positions(one)) == one


def test_a_failed_commit_leaves_nothing_of_itself(ledger: Ledger) -> None:
    run = ledger.start(new_run())
    with pytest.raises(LedgerError, match="cannot write the ledger"):
        ledger.commit(
            run.id,
            [
                Commit(delivered=5),
                Commit(outcomes=[(None, 1, 1, None, None, 1)], records=[(1, None, None, "", None)]),
            ],
        )  # type: ignore[list-item]
    assert row_of(ledger).delivered == 0
    ledger.commit(run.id, [Commit(delivered=1)])
    assert row_of(ledger).delivered == 1


def test_files_are_for_their_owner_alone(ledger: Ledger, tmp_path: Path) -> None:
    assert (tmp_path / "d" / "ledger.db").stat().st_mode & 0o077 == 0


def test_what_is_said_is_durable(ledger: Ledger) -> None:
    assert ledger._db.execute("pragma journal_mode").fetchone() == ("wal",)
    assert ledger._db.execute("pragma synchronous").fetchone() == (2,)


# -- a ledger that is not ours ---------------------------------------------------------------------------------------


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    _foreign(tmp_path / "ledger.db")
    with pytest.raises(
        LedgerError, match=r"ledger\.db is no ledger of Haulier; choose another folder with --state"
    ):
        Ledger.create(tmp_path)


def test_a_foreign_database_is_left_as_it_is(tmp_path: Path) -> None:
    before = _foreign(tmp_path / "ledger.db")
    with pytest.raises(LedgerError):
        Ledger.create(tmp_path)
    assert (tmp_path / "ledger.db").read_bytes() == before


def _foreign(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table mine(x)")
        db.commit()
    return path.read_bytes()


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Ledger.create(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.execute(f"pragma user_version={VERSION + 1}")
    with pytest.raises(
        LedgerError, match=rf"newer version \(ledger {VERSION + 1}, this one knows {VERSION}\)"
    ):
        Ledger.create(tmp_path)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.execute(f"pragma user_version={VERSION}")
    Ledger.create(tmp_path).close()  # the refusal did not keep the lock


@pytest.mark.parametrize(
    "content",
    [b"not a database, but long enough to be looked at" * 200, b"SQLite format 3\0" + b"\xff" * 2000],
)
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(LedgerError, match=r"cannot open the ledger .*ledger\.db"):
        Ledger.create(tmp_path)


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    with closing(Ledger.create(tmp_path)) as ledger:
        assert ledger._db.execute("pragma application_id").fetchone() == (APPLICATION_ID,)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        LedgerError, match=r"cannot write in .*file/d: .*; choose another folder with --state"
    ):
        Ledger.create(tmp_path / "file" / "d")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LedgerError, match="choose another folder with --state"):
        Ledger.create(tmp_path)


def test_looking_at_no_ledger_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="nothing was sent to this destination yet"):
        LedgerView.open(tmp_path)


# -- one writer ------------------------------------------------------------------------------------------------------


def test_a_second_writer_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with closing(Ledger.create(tmp_path)), pytest.raises(LedgerError, match=f"process {os.getpid()} on "):
        Ledger.create(tmp_path)
    Ledger.create(tmp_path).close()


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from haulier.io.ledger.store import Ledger\n"
        "held = Ledger.create(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(
            LedgerError, match=f"under way \\(process {process.pid} on .*wait for it or stop it"
        ):
            Ledger.create(tmp_path)
        process.kill()
    Ledger.create(tmp_path).close()


def test_a_child_after_a_fork_may_not_write(tmp_path: Path) -> None:
    """Run in a process of its own, which has no other threads."""
    code = (
        "import os, sys; from pathlib import Path; from haulier.errors import LedgerError\n"
        "from haulier.io.ledger.rows import Commit; from haulier.io.ledger.store import Ledger\n"
        "ledger = Ledger.create(Path(sys.argv[1]))\n"
        "if os.fork() == 0:\n"
        "    try: ledger.commit(1, [Commit()])\n"
        "    except LedgerError as error: print(error, flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "this run belongs to the process that opened it; open another one after a fork\n"


def test_readers_are_not_held_up_by_a_writer(ledger: Ledger, tmp_path: Path) -> None:
    run = ledger.start(new_run())
    ledger._db.execute("begin immediate")
    try:
        with closing(LedgerView.open(tmp_path / "d")) as view:
            started = time.monotonic()
            assert row_of(view).run_id == run.run_id
            assert time.monotonic() - started < 1
    finally:
        ledger._db.execute("rollback")


def test_a_full_disk_ends_writing_with_words(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk."""
    code = (
        "import resource, signal, sys; from pathlib import Path; from haulier.errors import LedgerError\n"
        "from haulier.io.ledger.rows import Commit; from haulier.io.ledger.store import Ledger\n"
        "ledger = Ledger.create(Path(sys.argv[1]))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "    for number in range(1000): ledger.commit(1, [Commit(owed=[(number, 0, b'x' * 10_000)])])\n"
        "except LedgerError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"cannot write the ledger {ledger_path(tmp_path)}: ")
    assert done.stdout.endswith("; make room or mend the disk, then run again\n")
