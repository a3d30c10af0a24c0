"""Lines on their way to outputs: in order, each output by itself, bounded in memory, and never lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from haulier.errors import ConfigurationError, OutputBusy, PluginError, TransportError
from haulier.io.doors import RunDoors
from haulier.io.ledger.rows import Commit
from haulier.runs.outputs import owing as module
from haulier.runs.outputs.owing import Owing
from haulier.runs.outputs.served import Served
from haulier.runs.resolving.guarding import Guard


class Keeping:
    """Keeps what it is handed; `before` is called with each batch first, and may raise."""

    def __init__(self, before: Callable[[list[bytes]], None] = lambda lines: None, **attributes: Any) -> None:
        self.lines: list[bytes] = []
        self.batches: list[int] = []
        self.threads: set[int] = {threading.get_ident()}
        self.closed = False
        self.before = before
        vars(self).update(attributes)

    def write(self, lines: Sequence[bytes]) -> None:
        self.threads.add(threading.get_ident())
        self.before(list(lines))
        self.batches.append(len(lines))
        self.lines += lines

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed = True


class Ledger:
    """What a ledger does for outputs: keeps lines until they are paid for, in order."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, bytes]] = {}
        self.reads: list[tuple[int, int, int]] = []
        self.failures: list[Exception] = []
        self.seq = 0

    def add(self, *lines: tuple[int, bytes]) -> Commit:
        """A commit that owes these (output, line), durable already."""
        commit = Commit(owed=[])
        for output, line in lines:
            self.rows[self.seq] = (output, line)
            commit.owed.append((self.seq, output, line))
            self.seq += 1
        return commit

    def read(self, output: int, after: int, most: int) -> list[tuple[int, bytes]]:
        self.reads.append((output, after, most))
        found = [(seq, line) for seq, (at, line) in sorted(self.rows.items()) if at == output and seq > after]
        return found[:most]

    def paid(self, seqs: list[int]) -> None:
        for seq in seqs:
            del self.rows[seq]

    def owing(self) -> dict[int, tuple[int, int]]:
        outputs = {output for output, _ in self.rows.values()}
        mine = {one: [seq for seq, (at, _) in self.rows.items() if at == one] for one in outputs}
        return {output: (len(seqs), max(seqs)) for output, seqs in mine.items()}


def served(
    made: Sequence[Keeping],
    work: Callable[[Owing, Ledger], Coroutine[Any, Any, str]],
    ledger: Ledger | None = None,
) -> tuple[Ledger, str]:
    """Do `work` with these outputs; the ledger, and what `finish` said."""
    books = ledger or Ledger()

    async def whole() -> str:
        outputs = [
            Served(number, "kept", RunDoors(Path()), Guard("output kept")) for number, _ in enumerate(made, 1)
        ]
        for output, one in zip(outputs, made, strict=True):
            await output.open(lambda doors, one=one: one)
        owing = Owing(outputs, read=books.read, paid=books.paid, failed=books.failures.append)
        try:
            return await work(owing, books)
        finally:
            await owing.close()
            for output in outputs:
                await output.close()

    return books, asyncio.run(whole())


async def nothing() -> None:
    return None


async def finish(owing: Owing, *, stopped: bool = False) -> str:
    return await owing.finish(stopped=lambda: stopped, meanwhile=nothing)


def test_lines_come_in_order_in_one_thread_and_are_let_go_of() -> None:
    output = Keeping(at_once=3)

    async def work(owing: Owing, books: Ledger) -> str:
        for number in range(10):
            owing.durable(books.add((0, b"%d" % number)))
        return await finish(owing)

    books, why = served([output], work)
    assert (output.lines, why, books.rows) == ([b"%d" % number for number in range(10)], "", {})
    assert max(output.batches) == 3
    assert output.closed
    assert len(output.threads - {threading.get_ident()}) == 1


def test_each_output_goes_its_own_pace() -> None:
    let_go = threading.Event()
    slow, quick = Keeping(lambda lines: let_go.wait(10) and None), Keeping()

    async def work(owing: Owing, books: Ledger) -> str:
        owing.durable(books.add(*((output, b"x") for _ in range(5) for output in (0, 1))))
        while len(quick.lines) < 5:  # noqa: ASYNC110 - what is waited for happens in a thread
            await asyncio.sleep(0.001)
        assert slow.lines == []
        let_go.set()
        return await finish(owing)

    books, why = served([slow, quick], work)
    assert (slow.lines, why, books.rows) == ([b"x"] * 5, "", {})


def test_what_does_not_fit_is_read_back_from_the_ledger_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_LINES", 4)
    monkeypatch.setattr(module, "_READ_LINES", 100)
    let_go = threading.Event()
    output = Keeping(lambda lines: let_go.wait(10) and None, at_once=2)

    async def work(owing: Owing, books: Ledger) -> str:
        for number in range(20):
            owing.durable(books.add((0, b"%d" % number)))
            await asyncio.sleep(0)
        late = books.add((0, b"20"))  # durable, and read back before anybody is told of it
        let_go.set()
        while len(output.lines) < 21:  # noqa: ASYNC110 - what is waited for happens in a thread
            await asyncio.sleep(0.001)
        owing.durable(late)
        owing.durable(books.add((0, b"21")))
        return await finish(owing)

    books, why = served([output], work)
    assert (output.lines, why, books.rows) == ([b"%d" % number for number in range(22)], "", {})
    assert [most for _, _, most in books.reads] == [100]


def test_lines_of_an_earlier_sitting_come_first() -> None:
    output, books = Keeping(), Ledger()
    books.add((0, b"old"))

    async def work(owing: Owing, books: Ledger) -> str:
        owing.begin(books.owing())
        owing.durable(books.add((0, b"new")))
        return await finish(owing)

    _, why = served([output], work, books)
    assert (output.lines, why, books.rows) == ([b"old", b"new"], "", {})


@pytest.mark.parametrize("error", [OutputBusy("later", wait_s=0.01), TransportError("no route", sent="no")])
def test_an_output_that_is_busy_gets_the_very_same_lines_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.01)
    handed: list[list[bytes]] = []

    def twice(lines: list[bytes]) -> None:
        handed.append(lines)
        if len(handed) < 3:
            raise error

    async def work(owing: Owing, books: Ledger) -> str:
        owing.durable(books.add((0, b"a")))
        while not handed:  # noqa: ASYNC110 - what is waited for happens in a thread
            await asyncio.sleep(0.001)
        owing.durable(books.add((0, b"b")))
        return await finish(owing)

    output = Keeping(twice)
    books, why = served([output], work)
    assert handed == [[b"a"], [b"a"], [b"a"], [b"b"]]
    assert (output.lines, why, books.rows) == ([b"a", b"b"], "", {})


def test_patience_ends_and_says_what_is_kept_while_others_get_all() -> None:
    def never(lines: list[bytes]) -> None:
        raise OutputBusy("it answered 503", wait_s=0.01)

    dead, alive = Keeping(never, patience_s=0.2), Keeping()

    async def work(owing: Owing, books: Ledger) -> str:
        owing.durable(books.add((0, b"a"), (1, b"a"), (0, b"b"), (1, b"b")))
        return await finish(owing)

    began = time.monotonic()
    books, why = served([dead, alive], work)
    assert 0.2 <= time.monotonic() - began < 20
    assert why == (
        "output 1 (kept) took nothing for 0.2 s (it answered 503): 2 lines are kept for it, and the same call hands "
        "them over"
    )
    assert (alive.lines, sorted(books.rows.values())) == ([b"a", b"b"], [(0, b"a"), (0, b"b")])


def test_an_output_that_takes_a_little_at_a_time_is_waited_for() -> None:
    """Longer in all than its patience, which counts from the last line it took."""
    output = Keeping(lambda lines: time.sleep(0.3), at_once=1, patience_s=2.0)

    async def work(owing: Owing, books: Ledger) -> str:
        owing.durable(books.add(*((0, b"x") for _ in range(10))))
        return await finish(owing)

    books, why = served([output], work)
    assert (len(output.lines), why, books.rows) == (10, "", {})


def test_of_a_run_that_is_stopped_outputs_get_a_moment_only() -> None:
    output = Keeping(lambda lines: time.sleep(0.2), at_once=1)

    async def work(owing: Owing, books: Ledger) -> str:
        owing.durable(books.add(*((0, b"x") for _ in range(100))))
        return await finish(owing, stopped=True)

    began = time.monotonic()
    books, why = served([output], work)
    assert (time.monotonic() - began < 10, why) == (True, "")
    assert len(books.rows) >= 100 - len(output.lines) > 80


def test_an_output_that_hangs_does_not_keep_the_run() -> None:
    let_go = threading.Event()
    output = Keeping(lambda lines: let_go.wait(30) and None, patience_s=0.1)

    async def work(owing: Owing, books: Ledger) -> str:
        owing.durable(books.add((0, b"x")))
        return await finish(owing)

    began = time.monotonic()
    books, why = served([output], work)
    assert time.monotonic() - began < 20
    assert why.startswith("output 1 (kept) took nothing for 0.1 s: 1 lines")
    assert len(books.rows) == 1
    let_go.set()


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (OSError("no space left"), OSError, "output 1 (kept) cannot be written: no space left"),
        (ConfigurationError("wrong"), OSError, "output 1 (kept) cannot be written: wrong"),
        (KeyError("x"), PluginError, "output kept raised KeyError: 'x'"),
        (SystemExit(3), PluginError, "output kept raised SystemExit: 3"),
    ],
)
def test_an_output_that_fails_keeps_its_lines_owed_and_is_asked_no_more(
    error: Exception | SystemExit, kind: type[Exception], said: str
) -> None:
    calls: list[int] = []

    def fail(lines: list[bytes]) -> None:
        calls.append(1)
        raise error

    async def work(owing: Owing, books: Ledger) -> str:
        owing.durable(books.add((0, b"x")))
        first = await finish(owing)
        owing.durable(books.add((0, b"y")))
        return first + await finish(owing)

    books, why = served([Keeping(fail)], work)
    assert [(type(one), str(one)) for one in books.failures] == [(kind, said)]
    assert (why, len(calls), len(books.rows)) == ("", 1, 2)


def test_an_output_that_exits_as_it_is_closed_is_told_of_and_ends_no_loop() -> None:
    class Exits(Keeping):
        def close(self) -> None:
            raise SystemExit(3)

    async def work(owing: Owing, books: Ledger) -> str:
        return await finish(owing)

    with pytest.raises(PluginError, match=r"^output kept raised SystemExit: 3$"):
        served([Exits()], work)


def test_a_ledger_that_lacks_a_line_is_no_endless_search() -> None:
    async def work(owing: Owing, books: Ledger) -> str:
        owing.begin({0: (1, 7)})
        return await finish(owing)

    books, why = served([Keeping()], work)
    assert [str(one) for one in books.failures] == ["the ledger lacks lines that it owes to output 1 (kept)"]
    assert why == ""
