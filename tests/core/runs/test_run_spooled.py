"""Standard input can be read once: what a run has read of it is kept, and a stopped run goes on from there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, rows, within
from tests.core.runs.wire import Answer, Asked, Wire, answer

import haulier
from haulier.errors import ConfigurationError, InputError, LedgerError
from haulier.runs.inputs.spooling import Spool


@contextmanager
def piped(content: bytes | None) -> Iterator[None]:
    """These bytes, fewer than a pipe holds, are standard input; None: it is /dev/null."""
    before = sys.stdin
    if content is None:
        end = os.open(os.devnull, os.O_RDONLY)
    else:
        end, other_end = os.pipe()
        with os.fdopen(other_end, "wb") as file:
            file.write(content)
    with os.fdopen(end) as given:
        sys.stdin = given
        try:
            yield
        finally:
            sys.stdin = before


def lines(count: int) -> bytes:
    return b"".join(b'{"id":%d}\n' % number for number in range(count))


def send(wire: Wire, content: bytes | None, **more: Any) -> haulier.Report:
    made = destination(
        wire.url, **{name: more.pop(name) for name in list(more) if name in ("batching", "limits")}
    )
    with piped(content):
        return within(60, lambda: haulier.send(made, "-", state="state", **more))


def stops_at(number: int) -> tuple[Any, list[bool]]:
    """Answers 401 from a request on, until the list is filled."""
    mended: list[bool] = []

    def reply(asked: Asked) -> Answer:
        return answer() if mended or asked.number < number else answer(401)

    return reply, mended


def spools() -> list[str]:
    return sorted(path.name for path in Path("state/d/spool").iterdir())


def ids(wire: Wire) -> list[int]:
    return sorted({json.loads(body)["id"] for body in wire.bodies})


def test_nothing_stays_of_a_finished_run() -> None:
    with Wire() as wire:
        assert counts(send(wire, lines(50))) == {"delivered": 50}
    assert spools() == []


def test_bodies_need_not_stand_in_the_ledger_as_well() -> None:
    with Wire() as wire:
        send(wire, lines(5))
    assert rows(Path("state"), "select count(stored) from request") == [(0,)]


@pytest.mark.parametrize("given", ["all again", "nothing"])
@pytest.mark.parametrize("way", ["key", "resume"])
def test_a_stopped_run_goes_on(given: str, way: str) -> None:
    """With the same input piped in again, and with none: then what was read is carried to its end."""
    reply, mended = stops_at(4)
    with Wire(reply) as wire:
        first = send(wire, lines(40), run_key="mine")
        assert (first.state, len(spools())) == ("stopped", 2)
        mended.append(True)
        how = {"run_key": "mine"} if way == "key" else {"resume": first.run_id[:8]}
        second = send(wire, lines(40) if given == "all again" else None, **how)
        assert (second.run_id, counts(second)) == (first.run_id, {"delivered": 40})
        assert ids(wire) == list(range(40))
    assert spools() == []


def broken_off(wire: Wire, content: bytes, *, read: bytes) -> str:
    """A run that a crash ended when standard input had given only so much; its id."""
    wire.reply, _ = stops_at(0)
    report = send(wire, content, run_key="mine")
    folder = Path("state/d/spool")
    (folder / report.run_id).write_bytes(read)
    (folder / f"{report.run_id}.end").unlink()
    wire.reply = lambda asked: answer()
    wire.asked.clear()
    return report.run_id


def test_a_line_that_broke_off_is_no_record() -> None:
    """Only where standard input came to its end is a last line without a line feed whole."""
    with Wire() as wire:
        run = broken_off(wire, lines(10), read=lines(10) + b'{"id":10}\n{"id":1')
        report = send(wire, None, resume=run)
        assert counts(report) == {"delivered": 11}
        assert report.note == "standard input had broken off: what was read until then was carried"


def test_a_last_line_without_a_line_feed_is_a_record_where_the_input_ended() -> None:
    reply, mended = stops_at(0)
    with Wire(reply) as wire:
        first = send(wire, b'{"id":0}\n{"id":1}')
        mended.append(True)
        assert counts(send(wire, None, resume=first.run_id)) == {"delivered": 2}


def test_an_input_given_again_goes_on_behind_what_was_kept() -> None:
    with Wire() as wire:
        broken_off(wire, lines(10), read=lines(10) + b'{"id":10}\n{"id":1')
        assert counts(send(wire, lines(30), run_key="mine")) == {"delivered": 30}
        assert ids(wire) == list(range(30))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lines(9) + b'{"id":99}\n', "is not what run .* was reading; they part between byte 0 and"),
        (lines(9), r"has only 81 bytes, and run .* has read 90"),
        (b"", r"is empty, and run .* has read 90"),
    ],
)
def test_another_input_or_an_empty_pipe_is_refused_and_takes_nothing_away(given: bytes, said: str) -> None:
    with Wire() as wire:
        run = broken_off(wire, lines(10), read=lines(10))
        with pytest.raises(InputError, match=f"{said}.*--resume {run[:12]} goes on with what was read"):
            send(wire, given, run_key="mine")
        assert counts(send(wire, None, resume=run)) == {"delivered": 10}


def test_a_cut_off_csv_row_is_no_row() -> None:
    with Wire() as wire:
        reply, mended = stops_at(0)
        wire.reply = reply
        first = send(wire, b"id,name\n1,Ada\n2,Grace\n", format="csv")
        path = Path("state/d/spool") / first.run_id
        path.write_bytes(b"id,name\n1,Ada\n2,Grace\n3,Hed")
        path.with_suffix(".end").unlink()
        mended.append(True)
        assert counts(send(wire, None, resume=first.run_id, format="csv")) == {"delivered": 2}


def test_what_cannot_be_resumed_is_said_with_the_way_out() -> None:
    with Wire() as wire:
        finished = send(wire, lines(2))
        with pytest.raises(ConfigurationError, match="is finished; there is nothing to go on with"):
            send(wire, None, resume=finished.run_id)
        with pytest.raises(
            ConfigurationError, match="no run of this destination begins with 'zzz'; see: haulier runs"
        ):
            send(wire, None, resume="zzz")
        reply, _ = stops_at(0)
        wire.reply = reply
        made = destination(wire.url)
        stopped = haulier.send(made, iter([{"id": 1}]), state="state", run_key="my own")
        with pytest.raises(
            ConfigurationError, match=r"of which no copy is kept; .*--run-key 'my own' \(run_key="
        ):
            send(wire, None, resume=stopped.run_id)


def test_bytes_are_durable_before_the_ledger_says_that_they_were_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At every commit: what the ledger will say is read was synced."""
    synced: list[int] = []
    real = Spool.sync

    def sync(self: Spool) -> None:
        real(self)
        synced.append(self.size)

    monkeypatch.setattr(Spool, "sync", sync)
    seen: list[tuple[int, int]] = []

    def reply(asked: Asked) -> Answer:
        ((read,),) = rows(Path("state"), "select read from run")
        seen.append((read, synced[-1]))
        return answer()

    with Wire(reply) as wire:
        send(wire, lines(2000), batching={"size": 10})
    assert all(len(lines(read)) <= size for read, size in seen)


def test_a_full_disk_ends_the_run_with_words_and_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Spool.add

    def add(self: Spool, data: bytes | memoryview) -> None:
        raise self._trouble(OSError(28, "No space left on device"))

    monkeypatch.setattr(Spool, "add", add)
    with Wire() as wire:
        with pytest.raises(
            LedgerError, match=r"cannot keep standard input in .*No space left on device; make room"
        ):
            send(wire, lines(20), run_key="mine")
        monkeypatch.setattr(Spool, "add", real)
        assert counts(send(wire, lines(20), run_key="mine")) == {"delivered": 20}


def test_the_spool_is_for_its_owner_alone() -> None:
    reply, _ = stops_at(0)
    with Wire(reply) as wire:
        send(wire, lines(2))
    folder = Path("state/d/spool")
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.iterdir()))


def test_a_run_that_takes_the_place_of_one_under_other_settings_reads_what_that_one_had_kept() -> None:
    reply, mended = stops_at(0)
    with Wire(reply) as wire:
        first = send(wire, lines(20), run_key="k", batching={"size": 5})
        assert first.state == "stopped"
        mended.append(True)
        asked = len(wire.asked)
        second = send(wire, None, run_key="k", batching={"size": 4})
        assert second.run_id != first.run_id
        assert counts(second) == {"delivered": 20}
        assert [len(json.loads(one.body)) for one in wire.asked[asked:]] == [4] * 5
    assert spools() == []
