"""Plain commits, which nearly all are: intents in a row, requests delivered at once, and the run's counts.

They are written in one statement, a transaction by itself. Python's interface to SQLite gives the interpreter's lock
away four times a statement, and takes it back against a busy event loop each time; it holds the lock while values are
bound, and asks of each that is `None` or bytes what it may stand for. So values are few and long, and a trigger of this
connection carries out, beside the lock, what the statement stands for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any, TypeAlias

import msgspec

from haulier.io.ledger.ids import NUMBER
from haulier.io.ledger.rows import Commit, IntentRow
from haulier.model.delivery import State

__all__ = ["prepare_plain", "write_plainly", "write_run"]

_HASH = 32  # bytes of a SHA-256
# places: a list that is as long as there are intents; nothing else counts of it.
_INTENTS = ("places", "id", "first", "size", "hashes", "keys", "width")
_DELIVERED = ("ids", "status", "tries")
_RUN = (
    *("run", "read", "digest", "low_water", "delivered", "accepted", "rejected", "in_doubt"),
    *("attempts", "busy_s", "waited_s", "active_s"),
)
_COLUMNS = (*_INTENTS, *_DELIVERED, *_RUN)
_ADDED = _RUN[4:]
_PREPARE = f"""
create temp view written as select {", ".join(f"null as {name}" for name in _COLUMNS)};
create temp trigger write instead of insert on written begin
    insert into request(id, first, count, sha256, key, state)
        select new.id + key, new.first + key * new.size, new.size,
            substr(new.hashes, key * {_HASH} + 1, {_HASH}),
            coalesce(cast(substr(new.keys, key * new.width + 1, new.width) as text), ''), {State.SENDING:d}
        from json_each(new.places) where true
        on conflict(id) do update set state = excluded.state;
    update request set state = {State.DELIVERED:d}, status = new.status, attempts = attempts + new.tries,
        reason = null, ticket = null
        where id in (select value from json_each(new.ids));
    -- Before the run's row has the new mark: the texts between the old one and it are let go of.
    update onward set text = null
        where id >= new.run * {NUMBER + 1} + (select low_water from run where id = new.run)
        and id < new.run * {NUMBER + 1} + new.low_water;
    update run set read = max(read, new.read), digest = coalesce(new.digest, digest),
        low_water = max(low_water, new.low_water), {", ".join(f"{name} = {name} + new.{name}" for name in _ADDED)}
        where id = new.run;
end;
"""  # noqa: S608 - words of our own
_WRITE = f"insert into temp.written values({', '.join('?' * len(_COLUMNS))})"
_NO_INTENTS = ("[]", 0, 0, 0, b"", b"", 0)
_NONE_DELIVERED = ("[]", None, 0)
_PLAIN = {"intents", "delivered_at_once", "outbox", "digest", *_RUN}
_BESIDE = [name for name in Commit.__struct_fields__ if name not in _PLAIN]
_Intents: TypeAlias = tuple[str, int, int, int, bytes, bytes, int]
_Delivered: TypeAlias = "tuple[str, int | None, int]"


def prepare_plain(db: sqlite3.Connection) -> None:
    """Make what `write_plainly` and `write_run` need, for this connection alone."""
    db.executescript(_PREPARE)


def write_plainly(db: sqlite3.Connection, run: int, commits: Sequence[Commit], active_s: float) -> bool:
    """Write commits of one run, outside of any transaction; False where they are not plain, and nothing is written."""
    if any(getattr(commit, name) for commit in commits for name in _BESIDE):
        return False
    intents = _intents([row for commit in commits for row in commit.intents])
    # An intent comes before its outcome, in whichever commit that is.
    delivered = _delivered(commits)
    if intents is None or delivered is None:
        return False
    db.execute(_WRITE, (*intents, *delivered, *_run_values(run, commits, active_s)))
    return True


def write_run(db: sqlite3.Connection, run: int, commits: Sequence[Commit], active_s: float) -> None:
    """Write what commits say of their run as a whole. active_s: since the last transaction."""
    db.execute(_WRITE, (*_NO_INTENTS, *_NONE_DELIVERED, *_run_values(run, commits, active_s)))


def _intents(rows: Sequence[IntentRow]) -> _Intents | None:
    """Rows as few values; None where one does not follow from the one before but for hash and key."""
    if not rows:
        return _NO_INTENTS
    ids, firsts, counts, positions, hashes, keys, states, stored, parents = zip(*rows, strict=True)
    count, size, joined, widths = len(rows), counts[0], "".join(keys), {*map(len, keys)}
    alike = (
        ids == tuple(range(ids[0], ids[0] + count))
        and counts.count(size) == states.count(State.SENDING) == count
        and size > 0
        and firsts == tuple(range(firsts[0], firsts[0] + count * size, size))
        and positions.count(None) == stored.count(None) == parents.count(None) == count
        and {*map(len, hashes)} == {_HASH}
        and len(widths) == 1
        and joined.isascii()
    )
    if not alike:
        return None
    return _list_of(count), ids[0], firsts[0], size, b"".join(hashes), joined.encode("ascii"), widths.pop()


def _delivered(commits: Sequence[Commit]) -> _Delivered | None:
    """Requests that were delivered at once as few values; None where not all came to the same."""
    said = {said for commit in commits for said in commit.delivered_at_once}
    if not said:
        return _NONE_DELIVERED
    if len(said) > 1:
        return None
    ids = chain.from_iterable(chain.from_iterable(commit.delivered_at_once.values()) for commit in commits)
    return msgspec.json.encode([*ids]).decode(), *said.pop()


def _run_values(run: int, commits: Sequence[Commit], active_s: float) -> tuple[Any, ...]:
    digest = next((commit.digest for commit in reversed(commits) if commit.digest is not None), None)
    return (
        run,
        max((commit.read for commit in commits), default=0),
        digest() if digest is not None else None,
        max((commit.low_water for commit in commits), default=0),
        *[sum([getattr(commit, name) for commit in commits]) for name in _ADDED[:-1]],
        active_s,
    )


@cache
def _list_of(count: int) -> str:
    return f"[{','.join('0' * count)}]"
