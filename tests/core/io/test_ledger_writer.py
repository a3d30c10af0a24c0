"""The writer thread: in order, many at once, nobody waits, and an error is told once."""

from __future__ import annotations

import threading
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.core.io.test_ledger_store import new_run, row_of

from haulier.errors import LedgerError
from haulier.io.ledger.rows import Commit
from haulier.io.ledger.store import Ledger
from haulier.io.ledger.writer import Writer
from haulier.model.delivery import State


def test_every_commit_is_written_in_order_and_told_once_durable(tmp_path: Path) -> None:
    told: list[tuple[int, int, LedgerError | None]] = []
    with closing(Ledger.create(tmp_path)) as ledger:
        run = ledger.start(new_run())

        def done(count: int, error: LedgerError | None) -> None:
            told.append((count, row_of(ledger).delivered, error))

        writer = Writer(ledger, run.id, done)
        for number in range(100):
            writer.put(Commit(delivered=1, read=number + 1, digest=partial(bytes, b"%d" % number)))
        writer.start()
        for _ in range(100):
            writer.put(Commit(delivered=1))
        writer.close()
        assert told[-1] == (200, 200, None)
        assert all(count == delivered for count, delivered, _ in told)
        assert [count for count, _, _ in told] == sorted({count for count, _, _ in told})
        assert writer.transactions == len(told) < 200
        assert (row_of(ledger).read, row_of(ledger).digest) == (100, b"99")


def test_the_first_error_ends_the_writing_and_is_told_with_what_is_durable(tmp_path: Path) -> None:
    told: list[tuple[int, str]] = []
    seen = threading.Event()
    with closing(Ledger.create(tmp_path)) as ledger:
        run = ledger.start(new_run())

        def done(count: int, error: LedgerError | None) -> None:
            told.append((count, str(error or "")))
            seen.set()

        writer = Writer(ledger, run.id, done)
        writer.start()
        writer.put(Commit(delivered=1))
        assert seen.wait(5)
        writer.put(Commit(records=[(0, State.REJECTED, None, None, None)]))  # type: ignore[list-item]
        writer.put(Commit(delivered=10))
        writer.join(5)
        assert not writer.is_alive()
        writer.put(Commit(delivered=100))
        writer.close()
        assert told[0] == (1, "")
        assert told[1][0] == 1
        assert told[1][1].startswith(f"cannot write the ledger {ledger.path}: ")
        assert len(told) == 2
        assert row_of(ledger).delivered == 1


def test_closing_twice_is_once(tmp_path: Path) -> None:
    with closing(Ledger.create(tmp_path)) as ledger:
        writer = Writer(ledger, ledger.start(new_run()).id, lambda count, error: None)
        writer.start()
        writer.close()
        writer.close()
        assert [thread for thread in threading.enumerate() if thread.name == "haulier-ledger"] == []
