"""Plain commits: one statement, and the same rows as many statements would write."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.io.test_ledger_store import new_run

from haulier.io.ledger.compacting import transaction
from haulier.io.ledger.plain import write_plainly
from haulier.io.ledger.rows import Commit, IntentRow, intent_row
from haulier.io.ledger.store import Ledger, LedgerView
from haulier.io.ledger.writing import write_commits
from haulier.model.delivery import State
from haulier.model.request import Positions, Request


def row(
    number: int, positions: Positions, *, key: str | None = None, stored: bytes | None = None
) -> IntentRow:
    digest = sha256(b"%d" % number).digest()
    request = Request(
        number=number,
        positions=positions,
        method="POST",
        url="http://127.0.0.1/",
        headers=(),
        body=b"{}",
        length=2,
        sha256=digest,
        key=digest.hex()[:32] if key is None else key,
    )
    return intent_row(1, request, stored)


def window(begin: int, end: int, *, size: int = 1, key: str | None = None) -> list[IntentRow]:
    return [row(at, range(at * size, at * size + size), key=key) for at in range(begin, end)]


def ids(*stretch: int) -> list[int]:
    return [1 << 40 | number for number in range(*stretch)]


def tables(ledger: LedgerView) -> tuple[list[Any], list[Any]]:
    """All of its requests and of its run."""
    return (
        ledger._db.execute("select * from request order by id").fetchall(),
        ledger._db.execute("select * from run").fetchall(),
    )


PLAIN = {
    "intents and answers in turns": [
        [Commit(intents=window(0, 300), read=300, digest=partial(bytes, b"a"))],
        [
            Commit(
                intents=window(300, 301),
                delivered_at_once={(200, 1): [*ids(7, 300, 2), *ids(0, 7)]},
                delivered=154,
                attempts=154,
                busy_s=0.5,
                low_water=7,
                read=301,
            )
        ],
    ],
    "many windows at once, and answers to some of them": [
        [Commit(intents=window(at, at + 16, size=100)) for at in range(0, 160, 16)]
        + [
            Commit(delivered_at_once={(None, 2): ids(150)}),
            Commit(delivered_at_once={(None, 2): ids(150, 160)}),
        ],
    ],
    "no idempotency keys": [[Commit(intents=window(5, 9, key=""))]],
    "counts alone": [
        [Commit(read=9, low_water=3, accepted=2, rejected=1, in_doubt=4, attempts=7, waited_s=0.25)]
    ],
    "a request that waited is on its way once more": [
        [Commit(outcomes=[(State.PENDING, 429, 5, "busy", None, ids(3, 4)[0])], intents=window(0, 8))],
        [Commit(intents=window(3, 4))],
        [Commit(delivered_at_once={(200, 1): ids(3, 4)})],
    ],
}
OTHERS = {
    "numbers that do not follow": Commit(intents=[*window(0, 2), *window(3, 4)]),
    "positions that do not follow": Commit(intents=[row(0, range(1)), row(1, range(2, 3))]),
    "sizes that differ": Commit(intents=[row(0, range(2)), row(1, range(2, 3))]),
    "scattered positions": Commit(intents=[row(0, array("q", [0, 5])), row(1, array("q", [1, 6]))]),
    "no positions": Commit(intents=[row(0, range(0)), row(1, range(0))]),
    "keys of two lengths": Commit(intents=[row(0, range(1), key=""), row(1, range(1, 2))]),
    "keys beyond ASCII": Commit(intents=[row(0, range(1), key="ä"), row(1, range(1, 2), key="b")]),
    "whole requests": Commit(intents=[row(0, range(1), stored=b"all of it")]),
    "parts": Commit(intents=[(*row(0, range(1))[:-1], 7)]),
    "requests that came to different things": Commit(
        intents=window(0, 4), delivered_at_once={(200, 1): ids(2), (200, 2): ids(2, 3)}
    ),
    "other outcomes": Commit(
        intents=window(0, 2), outcomes=[(State.IN_DOUBT, None, 1, "why", None, ids(1)[0])]
    ),
    "records of their own": Commit(records=[(0, State.REJECTED, None, "why", b"{")]),
}


def written(folder: Path, turns: Sequence[Sequence[Commit]], *, by_rows: bool) -> tuple[list[Any], list[Any]]:
    """What stands in a new ledger after these transactions."""
    with closing(Ledger.create(folder)) as ledger:
        run = ledger.start(new_run())
        for commits in turns:
            if by_rows:
                with transaction(ledger._db):
                    write_commits(ledger._db, run.id, commits, 0.0)
            else:
                ledger.commit(run.id, commits)
        requests, (found,) = tables(ledger)
        names = [column[0] for column in ledger._db.execute("select * from run").description]
        return requests, [pair for pair in zip(names, found, strict=True) if pair[0] != "active_s"]


@pytest.mark.parametrize(
    "turns", [*PLAIN.values(), *([[one]] for one in OTHERS.values())], ids=[*PLAIN, *OTHERS]
)
def test_a_ledger_says_the_same_however_its_commits_were_written(
    tmp_path: Path, turns: Sequence[Sequence[Commit]]
) -> None:
    assert written(tmp_path / "plain", turns, by_rows=False) == written(
        tmp_path / "rows", turns, by_rows=True
    )


@pytest.mark.parametrize("turns", PLAIN.values(), ids=PLAIN)
def test_a_plain_commit_is_one_statement_and_a_transaction_by_itself(
    tmp_path: Path, turns: Sequence[Sequence[Commit]]
) -> None:
    """Each statement more gives the interpreter's lock away four times more."""
    with closing(Ledger.create(tmp_path)) as ledger, closing(LedgerView.open(tmp_path)) as view:
        run = ledger.start(new_run())
        for commits in turns[:-1]:
            ledger.commit(run.id, commits)
        before = tables(view)
        assert write_plainly(ledger._db, run.id, turns[-1], 1.0)
        assert tables(view) == tables(ledger) != before


@pytest.mark.parametrize("commit", OTHERS.values(), ids=OTHERS)
def test_what_does_not_follow_from_few_values_is_not_plain(tmp_path: Path, commit: Commit) -> None:
    with closing(Ledger.create(tmp_path)) as ledger:
        run = ledger.start(new_run())
        before = tables(ledger)
        assert not write_plainly(ledger._db, run.id, [commit], 1.0)
        assert tables(ledger) == before


def test_every_field_of_a_commit_is_written_plainly_or_makes_it_another_one(tmp_path: Path) -> None:
    """A field that is added to commits is in none of the plain ones, and so is not passed over in silence."""
    plain = {"intents", "delivered_at_once", "outbox", "digest", "read", "low_water", "attempts"}
    plain |= {"delivered", "accepted", "rejected", "in_doubt", "busy_s", "waited_s"}
    with closing(Ledger.create(tmp_path)) as ledger:
        run = ledger.start(new_run())
        for field in msgspec.structs.fields(Commit):
            if field.name not in plain:
                commit = Commit(**{field.name: [()]})
                assert not write_plainly(ledger._db, run.id, [commit], 0.0), field.name
