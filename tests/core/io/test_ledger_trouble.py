"""Where a ledger cannot be: full disks, folders that may not be written, network file systems; with the way out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.core.io.test_ledger_store import new_run, row_of
from tests.core.runs.carrying import counts, destination, within, write_records
from tests.core.runs.wire import Asked, Wire, answer

import haulier
from haulier.errors import HaulierError, LedgerError
from haulier.io.ledger import place
from haulier.io.ledger.place import file_system_of
from haulier.io.ledger.rows import Commit
from haulier.io.ledger.store import Ledger, LedgerView
from haulier.runs.reports.history import all_runs, dead_letters, told_of
from haulier.runs.reports.tidying import prune_runs

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/vdb /home/ada/local ext4 rw 0 0
//nas/share /mnt/my\\040share cifs rw 0 0
ada@host: /mnt/far fuse.sshfs rw 0 0
tmpfs /mnt/over nfs rw 0 0
tmpfs /mnt/over tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/x", "ext4"),
        ("/home/ada/project/.haulier/d", "nfs4"),
        ("/home/ada/local/d", "ext4"),
        ("/homely/d", "ext4"),
        ("/mnt/my share/d", "cifs"),
        ("/mnt/far", "fuse.sshfs"),
        ("/mnt/over/d", "tmpfs"),
    ],
)
def test_the_nearest_mount_above_tells_the_file_system(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"])
def test_a_network_file_system_is_refused_before_anything_is_written(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mounts"
    table.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path.resolve()}/far {kind} rw 0 0\n")
    monkeypatch.setattr(place, "MOUNTS", table)
    with pytest.raises(LedgerError, match=rf"far/d is on a network file system \({kind}\), .* with --state"):
        Ledger.create(tmp_path / "far" / "d")
    assert list((tmp_path / "far" / "d").iterdir()) == []
    Ledger.create(tmp_path / "near" / "d").close()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells which files are open")
def test_a_ledger_that_is_refused_is_let_go_of(tmp_path: Path) -> None:
    """File and lock: a program that embeds Haulier goes on, and may hold on to the error."""
    (tmp_path / "ledger.db").write_bytes(b"no ledger" * 1000)
    with pytest.raises(LedgerError) as refused:
        Ledger.create(tmp_path)
    left = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    assert not [one for one in left if one.is_relative_to(tmp_path)], refused


def test_where_mounts_cannot_be_told_all_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "none")
    with closing(Ledger.create(tmp_path / "d")) as ledger:
        assert ledger.path.is_file()


# -- full disks ------------------------------------------------------------------------------------------------------


def test_a_full_database_keeps_what_was_committed_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with closing(Ledger.create(tmp_path)) as ledger:
        run = ledger.start(new_run())
        pages = ledger._db.execute("pragma page_count").fetchone()[0]
        ledger._db.execute(f"pragma max_page_count = {pages + 20}")
        written = 0

        def fill() -> None:
            nonlocal written
            for written in range(1000):
                commit = Commit(owed=[(written, 0, b"x" * 5_000)], delivered=1, read=written + 1)
                ledger.commit(run.id, [commit])

        with pytest.raises(LedgerError, match="the disk is full: make room, then run again"):
            fill()
        assert (row_of(ledger).delivered, ledger.owing(run)) == (written, {0: (written, written - 1)})
        ledger._db.execute("pragma max_page_count = 100000")
        ledger.commit(run.id, [Commit(delivered=1)])
        assert row_of(ledger).delivered == written + 1


CARRY_IN_LITTLE_ROOM = """
import json, resource, signal, sys
import haulier
from haulier.errors import HaulierError, LedgerError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    haulier.send(json.loads(sys.argv[1]), "in.jsonl", state="state")
except LedgerError as error:
    print(error)
"""


def test_a_run_on_a_full_disk_stops_with_words_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit on the size of files stands for the disk. What had left is not sent a second time without need."""
    monkeypatch.chdir(tmp_path)
    write_records(Path("in.jsonl"), 5000)
    with Wire() as wire:
        made = destination(wire.url, limits={"max_in_flight": 4})
        ended = subprocess.run(
            [sys.executable, "-c", CARRY_IN_LITTLE_ROOM, json.dumps(made)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert ended.stdout.startswith("cannot write the ledger "), ended.stderr
        assert "make room" in ended.stdout
        first = {asked.header("idempotency-key") for asked in wire.asked}
        assert 0 < len(first) < 5000
        report = within(60, lambda: haulier.send(made, "in.jsonl", state="state"))
        assert counts(report) == {"delivered": 5000}
        assert {json.loads(body)["id"] for body in wire.bodies} == set(range(5000))


# -- a ledger that is taken away -------------------------------------------------------------------------------------


@pytest.mark.parametrize("replaced", [False, True], ids=["gone", "another in its place"])
def test_a_run_whose_ledger_is_taken_away_sends_nothing_more_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    """SQLite would go on to write the file that nobody can find any more, and the run would end well."""
    monkeypatch.chdir(tmp_path)
    # Long enough that a block of them is far from all: intents of a whole block may be durable ahead of its requests.
    lines = [json.dumps({"id": at, "text": "x" * 2000}) for at in range(5000)]
    Path("in.jsonl").write_text("\n".join(lines))
    folder = Path("state/d")

    def take_away(asked: Asked) -> bytes:
        if asked.number == 40:
            folder.rename("away")
            if replaced:
                Ledger.create(folder).close()
        return answer()

    with Wire(take_away) as wire:
        made = destination(wire.url, limits={"max_in_flight": 1})  # with more, others go on while it is taken
        with pytest.raises(LedgerError, match="was taken away while it was written, so nothing more is sent"):
            within(60, lambda: haulier.send(made, "in.jsonl", state="state"))
        assert len(wire.asked) < 200
        shutil.rmtree(folder, ignore_errors=True)
        Path("away").rename(folder)
        assert counts(within(60, lambda: haulier.send(made, "in.jsonl", state="state"))) == {
            "delivered": 5000
        }
        assert {json.loads(body)["id"] for body in wire.bodies} == set(range(5000))


# -- folders that may not be written ---------------------------------------------------------------------------------

AS_NOBODY = """
import os, sys
from pathlib import Path
from haulier.errors import HaulierError, LedgerError
from haulier.io.ledger.store import Ledger, LedgerView
from haulier.runs.reports.history import all_runs, dead_letters, told_of
from haulier.runs.reports.tidying import prune_runs
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    getattr(LedgerView if sys.argv[1] == "open" else Ledger, sys.argv[1])(Path(sys.argv[2]))
except LedgerError as error:
    print(error)
"""


def as_nobody(what: str, folder: str, where: Path) -> str:
    """What is said to somebody who may read but not write there. The path is relative: tests' folders are private."""
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, what, folder], cwd=where, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are another matter there")
def test_a_folder_that_may_not_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        told = as_nobody("create", "d", tmp_path)
    finally:
        tmp_path.chmod(0o755)
    assert told == "cannot write in d: Permission denied; choose another folder with --state\n"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are another matter there")
def test_a_ledger_that_may_not_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    Ledger.create(tmp_path / "d").close()
    for path in (tmp_path / "d", *(tmp_path / "d").iterdir()):
        path.chmod(0o555)
    try:
        told = as_nobody("create", "d", tmp_path)
    finally:
        (tmp_path / "d").chmod(0o755)
    assert told == "cannot write in d: Permission denied; choose another folder with --state\n"


def test_a_damaged_ledger_is_named_with_the_way_out(tmp_path: Path) -> None:
    with closing(Ledger.create(tmp_path)) as ledger:
        run = ledger.start(new_run())
        ledger.commit(run.id, [Commit(owed=[(number, 0, b"x" * 3000) for number in range(20)])])
        ledger._db.execute("pragma wal_checkpoint(truncate)")
    path = tmp_path / "ledger.db"
    path.write_bytes(path.read_bytes()[:100] + os.urandom(4000))
    with pytest.raises(LedgerError, match=r"cannot (open|read) the ledger .*; it is damaged: put a copy"):
        Ledger.create(tmp_path)
    with pytest.raises(LedgerError, match="cannot read the ledger"):
        LedgerView.open(tmp_path)
    shutil.rmtree(tmp_path)


PAGE = 4096


def used_in_every_way(made: dict[str, Any]) -> list[str]:
    """Read a ledger and go on with it; what it was refused with. Anything but a HaulierError comes through."""
    ways: list[Callable[[], Any]] = [
        lambda: [str(unread) for unread in all_runs(state="state").unread],
        lambda: told_of("d", state="state"),
        lambda: list(dead_letters("d", state="state")),
        lambda: haulier.send(made, "in.jsonl", state="state"),
        lambda: haulier.replay(made, state="state"),
        lambda: prune_runs(keep=1, state="state"),
    ]
    refused = []
    for way in ways:
        try:
            way()
        except HaulierError as error:
            refused.append(str(error))
    return refused


@pytest.mark.parametrize("damage", [b"\xff", b"\0", b"a\x05"], ids=["ones", "zeros", "noise"])
def test_a_ledger_that_is_damaged_anywhere_is_refused_in_words(
    damage: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page of it in turn: no command ends with an error of SQLite's own, or of a name that is no UTF-8."""
    monkeypatch.chdir(tmp_path)
    Path("haulier.yaml").write_text("version: 1\n")
    write_records(Path("in.jsonl"), 40)
    with Wire(lambda asked: answer(400 if asked.body.endswith(b"7}") else 200)) as wire:
        made = destination(wire.url, key="id", outputs=[{"to": "jsonl", "path": "out.jsonl"}])
        assert haulier.send(made, "in.jsonl", state="state").rejected == 4
        path = Path("state/d/ledger.db")
        whole = path.read_bytes()
        refused: list[str] = []
        for page in range(len(whole) // PAGE):
            at = page * PAGE
            path.write_bytes(whole[:at] + damage * (PAGE // len(damage)) + whole[at + PAGE :])
            refused += within(60, lambda: used_in_every_way(made))
            for beside in path.parent.glob("ledger.db-*"):
                beside.unlink()
        path.write_bytes(whole)
        assert told_of("d", state="state").report.rejected == 4
    assert any("it is damaged: put a copy of it in its place" in one for one in refused)
