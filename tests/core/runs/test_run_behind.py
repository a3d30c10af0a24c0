"""How much is taken in while the ledger is behind: so many bytes, whatever comes of records, however long they are."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.core.runs.carrying import destination, within
from tests.core.runs.wire import Asked, Wire, answer

import haulier
from haulier.io.ledger.writer import Writer
from haulier.io.readers.digest import DigestedReader
from haulier.io.readers.input_hash import InputHash
from haulier.model.block import Block
from haulier.runs.driving.loop import carried
from haulier.runs.inputs.feed import Feed
from haulier.runs.inputs.intake import Intake
from haulier.runs.sittings import sitting
from haulier.runs.sittings.sending import prepare

COUNT, LONG = 250, 100_000  # records, and bytes of each
BLOCK = 256 << 10  # the most that is read at once
STILL_S = 0.15  # a loop that took nothing in for so long waits for the ledger


class Counted(Intake):
    """An input that counts the bytes of the records that were taken from it."""

    taken = 0

    def blocks(self, hashed_by: InputHash, *, cut: int = 0, most: int = 0) -> Iterator[Block]:
        for block in super().blocks(hashed_by, cut=cut, most=most):
            self.taken += sum(map(len, block.lines))
            yield block


class Late(Writer):
    """Writes nothing before the run has stopped taking in. waiting: bytes taken between transactions."""

    intake: ClassVar[Counted]
    waiting: ClassVar[list[int]]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **{**named, "before": self._hold})
        self._seen = 0

    def _hold(self) -> None:
        taken = -1
        while taken != self.intake.taken:
            taken = self.intake.taken
            time.sleep(STILL_S)
        self.waiting.append(taken - self._seen)
        self._seen = taken


def most_waiting(records: Path, monkeypatch: pytest.MonkeyPatch, **written: Any) -> int:
    """Carry the records with a ledger that is always behind; how many bytes of them waited for it at once."""
    waiting: list[int] = []
    with Wire() as wire:
        url = destination(wire.url, **written)
        intake = Counted(records)
        monkeypatch.setattr(Late, "intake", intake, raising=False)
        monkeypatch.setattr(Late, "waiting", waiting, raising=False)
        monkeypatch.setattr(sitting, "Writer", Late)
        report = within(60, lambda: carried(prepare(url, intake, state="state")))
    assert (report.state, report.read) == ("finished", COUNT)
    return max(waiting)


@pytest.mark.parametrize(
    ("written", "copies"),
    [
        ({}, 2),
        ({"exclude": ["id"]}, 3),
        ({"request": {"attributes": "none", "method": "DELETE"}}, 2),
    ],
    ids=["in bodies", "in bodies and as texts", "as texts"],
)
def test_records_wait_for_the_ledger_by_bytes(
    written: dict[str, Any], copies: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are there as read, until they are hashed, and in the bodies of requests, or as their texts, or both."""
    records = tmp_path / "in.jsonl"
    records.write_text("".join(f"{json.dumps({'id': at, 'is': '-' * LONG})}\n" for at in range(COUNT)))
    assert BLOCK < most_waiting(records, monkeypatch, **written) < (16 << 20) / copies + 2 * BLOCK


def test_malformed_records_wait_for_the_ledger_by_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is kept as it was read, and there are no requests that could be counted."""
    records = tmp_path / "in.jsonl"
    records.write_text("".join(f"{at} {'-' * LONG}\n" for at in range(COUNT)))
    assert BLOCK < most_waiting(records, monkeypatch) < (16 << 20) + 2 * BLOCK


def test_files_that_are_streamed_hold_nobody_up(tmp_path: Path) -> None:
    """Records that come one by one, so that the first ones are under way when the next one is looked at."""
    together, at_once = threading.Barrier(8), 0

    def once_all_are_there(asked: Asked) -> bytes:
        nonlocal at_once
        if asked.number:  # the first one goes alone
            with suppress(threading.BrokenBarrierError):
                together.wait(20)
                at_once += 1
        return answer()

    for number in range(17):
        with (tmp_path / f"{number}.png").open("wb") as file:
            file.truncate(4 << 20)
    with Wire(reply=once_all_are_there) as wire:
        request = {"method": "POST", "url": wire.url, "content_format": "bytes", "attributes": "none"}
        request["files"] = {"image": "{record.file}"}
        made = {"name": "d", "request": request, "files_root": str(tmp_path), "limits": {"max_in_flight": 8}}
        report = within(
            120, lambda: haulier.send(made, ({"file": f"{at}.png"} for at in range(17)), state="state")
        )
    assert (report.delivered, at_once) == (17, 16)


def test_what_waits_to_be_hashed_is_bounded_by_bytes() -> None:
    """A reader's blocks may be as long as they like."""
    held = 0

    class Piece(bytes):
        def __del__(self) -> None:
            nonlocal held
            held -= len(self)

    class Reader:
        repeatable = True

        def blocks(self) -> Iterator[Block]:
            nonlocal held
            for first in range(40):
                held += 1 << 20
                yield Block(first=first, lines=[b"{}"], text=(Piece(1 << 20),))

    most, digests = 0, []
    for block in DigestedReader(Reader(), InputHash.SHA_256).blocks():
        assert block.digest is not None
        digests.append(block.digest)
        del block
        most = max(most, held)
    assert most == 8 << 20
    assert digests[-1]() == hashlib.sha256(bytes(40 << 20)).digest()


@pytest.mark.parametrize(("length", "ahead"), [(1 << 10, 8), (100 << 10, 8), (256 << 10, 2), (10 << 20, 1)])
def test_blocks_are_read_ahead_by_bytes(length: int, ahead: int) -> None:
    """Beside those that wait to be taken, one waits for room."""
    given = 0

    def blocks() -> Iterator[Block]:
        nonlocal given
        line = b"-" * length
        for given in range(1, 21):
            yield Block(first=given, lines=[line])

    async def read() -> list[int]:
        most = []
        taken = 0
        async for _ in Feed(blocks()):
            taken += 1
            await asyncio.to_thread(wait_for, min(taken + ahead + 1, 20))
            most.append(given - taken)
        return most

    def wait_for(wanted: int) -> None:
        until = time.monotonic() + 10
        while given < wanted and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(0.01)  # in which more would come

    expected = [min(ahead + 1, 20 - taken) for taken in range(1, 21)]
    assert asyncio.run(read()) == expected
