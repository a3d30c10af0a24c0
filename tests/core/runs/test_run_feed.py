"""What the event loop is given to read: in order, all of it, from the place it was taken at."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from haulier.errors import InputError
from haulier.model.block import Block
from haulier.runs.inputs.feed import Feed
from haulier.runs.inputs.intake import Intake


def blocks(
    taken_in: list[str], *, count: int = 10, slow: Sequence[int] = (), breaks: int = -1
) -> Iterator[Block]:
    """So many blocks; notes which thread takes each. slow: those that keep whoever takes them waiting."""
    for first in range(count):
        taken_in.append(threading.current_thread().name)
        if first in slow:
            time.sleep(0.1)
        if first == breaks:
            raise InputError("it ends in the middle")
        yield Block(first=first, lines=[b"{}"])


async def all_of(feed: Feed) -> list[int]:
    return [block.first async for block in feed]


@pytest.mark.parametrize("at_hand", [True, False])
def test_all_blocks_come_in_order_wherever_they_are_taken(at_hand: bool) -> None:
    async def read() -> list[int]:
        return await all_of(Feed(blocks(taken_in), at_hand=at_hand))

    taken_in: list[str] = []
    assert asyncio.run(read()) == list(range(10))
    assert taken_in[0] == (threading.current_thread().name if at_hand else "haulier-reader")


@pytest.mark.parametrize(("second", "by_thread"), [(4, 75), (65, 14), (66, 0)])
def test_once_the_loop_was_kept_waiting_twice_a_thread_takes_the_rest(second: int, by_thread: int) -> None:
    """Two blocks within 64 are an input that blocks; two that are further apart, a machine that was busy."""

    async def read() -> list[int]:
        return await all_of(Feed(blocks(taken_in, count=80, slow=(1, second)), at_hand=True))

    taken_in: list[str] = []
    assert asyncio.run(read()) == list(range(80))
    loop = threading.current_thread().name
    assert taken_in == [loop] * (80 - by_thread) + ["haulier-reader"] * by_thread


@pytest.mark.parametrize("at_hand", [True, False])
def test_what_came_before_a_break_is_given_before_it_is_raised(at_hand: bool) -> None:
    async def read() -> None:
        async for block in Feed(blocks([], breaks=4), at_hand=at_hand):
            given.append(block.first)  # noqa: PERF401 - what came before the break counts

    given: list[int] = []
    with pytest.raises(InputError, match="it ends in the middle"):
        asyncio.run(read())
    assert given == [0, 1, 2, 3]


def test_others_have_their_turn_between_two_blocks_at_hand() -> None:
    """Records that make no request give the loop nothing to wait for."""

    async def read() -> list[int]:
        other = asyncio.create_task(count_turns())
        given = await all_of(Feed(blocks([]), at_hand=True))
        other.cancel()
        return given

    async def count_turns() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    turns: list[int] = []
    assert asyncio.run(read()) == list(range(10))
    assert len(turns) >= 10


def test_only_the_lines_of_an_unpacked_file_are_at_hand(tmp_path: Path) -> None:
    """All else may block, or takes longer to unpack or to read than to send."""
    for name in ("in.jsonl", "in.jsonl.gz", "in.csv", "in.json"):
        (tmp_path / name).write_bytes(b"")
    at_hand = {path.name: Intake(path).at_hand for path in tmp_path.iterdir()}
    assert at_hand == {"in.jsonl": True, "in.jsonl.gz": False, "in.csv": False, "in.json": False}
    assert not Intake([{"a": 1}]).at_hand
