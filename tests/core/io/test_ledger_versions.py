"""Ledgers of older versions are brought to this one whole, and say afterwards what they said before.

`ledgers/v1.db` was written by version 1: a finished run, one that stopped with requests to be tried again, one whose
program pushed a chunk, and one that a crash ended while six requests were on their way and two lines were owed.
`v2.db` to `v6.db` are later ledgers; those from `v3.db` on are the same one, brought to that version; v3 compacted it.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, within
from tests.core.runs.wire import Wire

import haulier
from haulier.errors import LedgerError
from haulier.io.ledger.schema import VERSION, check, prepare
from haulier.io.ledger.store import Ledger, LedgerView
from haulier.runs.reports.report import report_of

LEDGERS = sorted((Path(__file__).parent / "ledgers").glob("v*.db"))
V1 = Path(__file__).parent / "ledgers" / "v1.db"
PORT_V1 = 47123


def put(ledger: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ledger, folder / "ledger.db")
    return folder


def schema_of(folder: Path) -> list[tuple[str, str, str]]:
    """Tables with their columns, and indexes; however they came about."""
    with closing(sqlite3.connect(folder / "ledger.db")) as db:
        found = db.execute("select type, name, tbl_name from sqlite_master order by name").fetchall()
        columns = [
            (name, str(row[1]), str(row[2:]))
            for kind, name, _ in found
            if kind == "table"
            for row in db.execute(f"pragma table_info({name})")
        ]
        return [*found, *columns]


def test_there_is_a_file_of_every_version_before_this_one() -> None:
    assert [path.name for path in LEDGERS] == [f"v{number}.db" for number in range(1, VERSION)]


@pytest.mark.parametrize("ledger", LEDGERS, ids=lambda path: path.stem)
def test_an_older_ledger_becomes_like_a_new_one(ledger: Path, tmp_path: Path) -> None:
    folder = put(ledger, tmp_path / "old")
    Ledger.create(folder).close()
    Ledger.create(tmp_path / "new").close()
    assert schema_of(folder) == schema_of(tmp_path / "new")
    with closing(sqlite3.connect(folder / "ledger.db")) as db:
        assert db.execute("pragma user_version").fetchone() == (VERSION,)
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)


def test_reading_an_older_ledger_is_enough(tmp_path: Path) -> None:
    with closing(LedgerView.open(put(V1, tmp_path))) as view:
        told = [(run.run_key, run.state, run.read, run.delivered, run.rejected) for run in view.runs()]
        assert told == [
            ("unfinished one", "open", 40, 18, 4),
            ("chunks", "finished", 2, 2, 0),
            ("stopped one", "stopped", 20, 9, 3),
            ("finished one", "finished", 40, 36, 4),
        ]
        unfinished = view.runs()[0]
        assert [left.number for left in view.unsettled(unfinished)] == list(range(7, 13))
        assert view.owing(unfinished) == {0: (2, 6)}
        assert view.chunks(view.runs()[1]) == {"monday": (0, 2, None)}


def test_reading_waits_for_nobody_where_an_older_version_holds_the_ledger(tmp_path: Path) -> None:
    folder = put(V1, tmp_path)
    Ledger.create(tmp_path / "other").close()
    code = (
        "import sys, time; from pathlib import Path; from haulier.io.ledger.lock import Lock\n"
        "held = Lock(Path(sys.argv[1]) / 'ledger.lock'); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(LedgerError, match="a run of this destination is under way"):
            LedgerView.open(folder)
        process.kill()
    LedgerView.open(folder).close()


def test_a_newer_ledger_is_not_read_either(tmp_path: Path) -> None:
    Ledger.create(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.execute(f"pragma user_version={VERSION + 1}")
    with pytest.raises(LedgerError, match=r"was written by a newer version .*: upgrade haulier"):
        LedgerView.open(tmp_path)


@pytest.mark.parametrize("statement", range(24))
def test_killed_at_any_statement_of_the_migration_it_is_made_whole_next_time(
    statement: int, tmp_path: Path
) -> None:
    folder = put(V1, tmp_path / "d")
    code = (
        "import os, signal, sqlite3, sys; from pathlib import Path\n"
        "from haulier.io.ledger import store\n"
        "real, left = sqlite3.connect, [int(sys.argv[2])]\n"
        "def traced(*given, **more):\n"
        "    db = real(*given, **more)\n"
        "    def trace(statement):\n"
        "        left[0] -= 1\n"
        "        if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    db.set_trace_callback(trace)\n"
        "    return db\n"
        "sqlite3.connect = traced\n"
        "store.Ledger.create(Path(sys.argv[1])).close()"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder), str(statement)], check=False)
    assert done.returncode in (0, -signal.SIGKILL)
    with closing(Ledger.create(folder)) as ledger:
        assert [run.run_key for run in ledger.runs()] == [
            "unfinished one",
            "chunks",
            "stopped one",
            "finished one",
        ]
        assert ledger.runs()[0].active_s == 0.0
    Ledger.create(tmp_path / "new").close()
    assert schema_of(folder) == schema_of(tmp_path / "new")


# -- runs of version 1 go on -----------------------------------------------------------------------------------------


@pytest.fixture
def version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder as version 1 left it."""
    monkeypatch.chdir(tmp_path)
    lines = [b'{"id":%d}' % number for number in range(40)]
    lines[7] = b'{"id":7'
    Path("in.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return put(V1, tmp_path / "state" / "d") / "ledger.db"


def at(ledger: Path, port: int) -> None:
    """The service moved to another port of the same length: in settings and in requests that are kept whole."""
    with closing(sqlite3.connect(ledger)) as db:
        db.execute("update run set settings = replace(settings, ?, ?)", (f":{PORT_V1}", f":{port}"))
        for id, stored in db.execute("select id, stored from request where stored is not null").fetchall():
            moved = stored.replace(b":%d" % PORT_V1, b":%d" % port)
            db.execute("update request set stored = ? where id = ?", (moved, id))
        db.commit()


def send(wire: Wire, records: Any, run_key: str) -> haulier.Report:
    made = {
        "name": "d",
        "request": {"method": "POST", "url": f"{wire.url}/x"},
        "key": "id",
        "batching": {"size": 3},
        "outputs": [{"to": "jsonl", "path": "out.jsonl"}],
    }
    return within(20, lambda: haulier.send(made, records, state="state", run_key=run_key))


def test_a_run_that_crashed_goes_on(version_1: Path) -> None:
    with Wire() as wire:
        at(version_1, wire.port)
        with closing(sqlite3.connect(version_1)) as db:
            left = dict(db.execute("select key, sha256 from request where state in (0, 1) and id >> 40 = 4"))
        report = send(wire, "in.jsonl", "unfinished one")
        assert counts(report) == {"delivered": 36, "rejected": 4}
        assert {asked.header("idempotency-key") for asked in wire.asked} == set(left)
    assert len(Path("out.jsonl").read_text().splitlines()) >= 2 + 6


def test_a_run_that_stopped_goes_on_with_the_requests_that_were_kept(version_1: Path) -> None:
    with Wire() as wire:
        at(version_1, wire.port)
        report = send(wire, iter([{"id": number} for number in range(20)]), "stopped one")
        assert counts(report) == {"delivered": 17, "rejected": 3}
        assert sorted(wire.bodies) == [
            b'[{"id":15},{"id":16},{"id":17}]',
            b'[{"id":18},{"id":19}]',
            b'[{"id":9},{"id":10},{"id":11}]',
        ]


def test_a_finished_run_is_not_repeated(version_1: Path) -> None:
    with Wire() as wire:
        at(version_1, wire.port)
        report = send(wire, "in.jsonl", "finished one")
        assert (report.repeated, counts(report), wire.asked) == (True, {"delivered": 36, "rejected": 4}, [])


def test_its_dead_letters_are_replayed(version_1: Path) -> None:
    with Wire() as wire:
        at(version_1, wire.port)
        made = {"name": "d", "request": {"method": "POST", "url": f"{wire.url}/x"}}
        with closing(LedgerView.open(version_1.parent)) as view:
            finished = view.latest("finished one")
            assert finished is not None
        report = within(20, lambda: haulier.replay(made, run=finished.run_id, state="state"))
        assert counts(report) == {"delivered": 3, "rejected": 1}


def test_finished_runs_of_version_1_are_compacted(version_1: Path) -> None:
    with closing(Ledger.create(version_1.parent)) as ledger:
        run = ledger.latest("finished one")
        assert run is not None
        before, told = list(ledger.requests(run)), report_of(ledger, run, "d")
        ledger.compact()
        after = ledger.latest("finished one")
        assert after is not None
        assert (list(ledger.requests(after)), report_of(ledger, after, "d")) == (before, told)
        assert after.compacted


@pytest.mark.parametrize("made_before", [1, 2, 3, 4])
def test_a_ledger_that_is_made_while_somebody_looks_is_taken_for_an_empty_one_or_for_ours(
    made_before: int, tmp_path: Path
) -> None:
    """made_before: which of the statements that look at it."""
    path = tmp_path / "ledger.db"
    seen: list[str] = []

    def make(statement: str) -> None:
        seen.append(statement)
        if len(seen) == made_before:
            with closing(sqlite3.connect(path, isolation_level=None)) as maker:
                prepare(maker)

    with closing(sqlite3.connect(path)) as db:
        db.execute("select 1 from sqlite_master")
        db.set_trace_callback(make)
        assert check(db, str(path)) in (0, VERSION)
        db.set_trace_callback(None)
    assert len(seen) == 3
