"""The tables of a ledger, version by version. A new file goes through the same steps as an old one."""

from __future__ import annotations

import sqlite3

from haulier.errors import LedgerError

__all__ = ["APPLICATION_ID", "VERSION", "check", "prepare"]

APPLICATION_ID = 0x4841554C  # "HAUL": says whose file this is to `file` and to us

_FIRST = """
create table run(
    id integer primary key,
    run_id text not null unique,
    run_key text not null,
    parent text not null default '',  -- of a replay: ids of the runs whose dead letters it carries, with commas
    state text not null,              -- open, stopped, finished
    reason text not null default '',
    started real not null,
    ended real,
    source text not null,             -- what the input is called
    fingerprint text not null,        -- quick: finds candidates, proves nothing
    settings text not null,           -- JSON, as compared by a resume
    way text not null,
    read integer not null default 0,  -- records taken in
    digest blob,                      -- of the input up to there, see the seventh step
    low_water integer not null default 0,  -- every record below is settled
    delivered integer not null default 0,
    accepted integer not null default 0,
    rejected integer not null default 0,
    in_doubt integer not null default 0,
    attempts integer not null default 0
);
create index run_by_key on run(run_key, id);
create table request(
    id integer primary key,           -- run << 40 | number
    first integer not null,
    count integer not null,
    positions blob,                   -- 64-bit little-endian, null where consecutive
    sha256 blob not null,
    key text not null,
    state integer not null,
    status integer,
    attempts integer not null default 0,
    reason text,
    ticket text,
    stored blob                       -- the whole request, where it cannot be rebuilt
);
create index request_unsettled on request(state) where state in (0, 1);
create table record(                  -- rejected and in-doubt ones, below the low-water mark too
    run integer not null,
    position integer not null,
    state integer not null,
    number integer,                   -- its request; null where it never became one
    reason text not null,
    text blob,
    primary key(run, position)
) without rowid;
create table chunk(                   -- what a program pushed under a name of its own
    run integer not null,
    id text not null,
    first integer not null,
    count integer not null,
    primary key(run, id)
) without rowid;
create table owed(
    seq integer primary key,          -- run << 40 | count
    run integer not null,
    output integer not null,
    line blob not null
);
"""
_SECOND = """
alter table run add column active_s real not null default 0;   -- seconds under way, over all sittings
alter table run add column busy_s real not null default 0;     -- seconds its requests were under way
alter table run add column waited_s real not null default 0;   -- seconds its requests waited for another attempt
alter table run add column compacted integer not null default 0;
create table merged(                  -- requests of a finished run, delivered at once, many in a row as one
    id integer primary key,           -- run << 40 | number of the first
    requests integer not null,
    first integer not null,           -- position
    size integer not null,            -- records of each request
    status integer not null,
    keyed integer not null,           -- whether they had idempotency keys, which follow from the rest
    sha256 blob not null              -- 32 bytes of each request
);
create table slow(                    -- the slowest requests of a run
    run integer not null,
    number integer not null,
    seconds real not null,            -- of the slowest attempt
    primary key(run, number)
) without rowid;
create table replay(                  -- where the records of a replay come from
    run integer not null,
    position integer not null,        -- below 0: a dead letter that is carried with the record of another one
    parent integer not null,          -- the run they are dead letters of
    parent_position integer not null,
    text blob,                        -- as it is sent; null once the replay is finished
    primary key(run, position)
) without rowid;
create index replay_of on replay(parent, parent_position);
"""
_THIRD = """
alter table run add column chain integer not null default 0;   -- of a later stage: the run of the chain it is in
alter table run add column stage text not null default '';     -- its name; the run of a chain is that of the first
create index run_of_chain on run(chain) where chain != 0;
alter table request add column parent integer;                 -- of a part: number of the request it was made from
create table onward(                  -- the records of a later stage, written with the outcome they come from
    id integer primary key,           -- run << 40 | position
    parent integer not null,          -- the run whose answer made the record
    parent_position integer not null, -- of which of its records
    place integer not null,           -- which of the records that the answer made, from 0
    root integer not null,            -- position of the record of the first stage that it began as
    places text not null,             -- the places on the way from there where an answer made several: 3, 3.0
    failed text,                      -- JSON: where and why it was rejected before, on its way to what cleans up
    fault text,                       -- why the answer makes no record that can be sent
    text blob                         -- as it is read; null once it is settled
);
create unique index onward_of on onward(parent, parent_position, place, id >> 40);
"""
_FOURTH = """
create table job(                     -- what a request that was accepted waits for
    id integer primary key,           -- of the request
    asking integer not null default 0,  -- a question is on its way: its answer may be lost
    asked integer not null default 0,
    told integer not null default 0,  -- outputs know that it was accepted
    texts blob,                       -- of its records, one a line
    status integer,
    answer blob                       -- the last answer, whole
);
"""
_FIFTH = """
alter table run add column cut_off integer not null default 0;  -- requests without outcome when a process ended
"""
_SIXTH = """
alter table chunk add column sha256 blob;                      -- of the lines of its records; null of older chunks
"""
# A digest of an input says by itself which hash function made it (io/readers/input_hash.py). No table is another one;
# but earlier versions would take the digest of the same input for that of another one, and send it again.
_SEVENTH = ""
_STEPS = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH)
VERSION = len(_STEPS)


def check(db: sqlite3.Connection, path: str) -> int:
    """The version of a ledger; 0 for a new and empty file.

    Raises LedgerError for a file that is not ours, or newer than this version; it is left as it is.
    """
    # In this order: the run that owns a new file may make all of it, in one transaction, between any two of them.
    tables = db.execute("select 1 from sqlite_master").fetchone()
    version = int(db.execute("pragma user_version").fetchone()[0])
    application = db.execute("pragma application_id").fetchone()[0]
    if application == version == 0 and not tables:
        return 0
    if application != APPLICATION_ID:
        raise LedgerError(f"{path} is no ledger of Haulier; choose another folder with --state")
    if version > VERSION:
        raise LedgerError(
            f"{path} was written by a newer version (ledger {version}, this one knows {VERSION}): upgrade haulier"
        )
    return version


def prepare(db: sqlite3.Connection) -> None:
    """Bring a file to this version: all steps that it lacks in one transaction, all or none."""
    version = db.execute("pragma user_version").fetchone()[0]
    if version < VERSION:
        steps = "".join(_STEPS[version:])
        db.executescript(
            f"begin immediate;{steps}pragma application_id={APPLICATION_ID};pragma user_version={VERSION};commit;"
        )
