"""The sandbox, attacked: each attempt is an error of its batch alone, and the next batch is made as if nothing was."""

from __future__ import annotations

import asyncio
import os
import signal
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.runs.carrying import leave_garbage

from haulier.errors import ConfigurationError, DestinationError, RecordError
from haulier.io.code.said import MOST_BYTES
from haulier.io.code.sandbox import Sandbox
from haulier.io.code.trusted import Trusted
from haulier.model.parts import Portion, Program

STARTED = 1_767_225_600.25  # 2026-01-01T00:00:00.25Z


def program(body: str, head: str = "", **limits: Any) -> Program:
    """A program whose first batch does `body`, and whose next ones tell how many records they have."""
    source = f"{textwrap.dedent(head)}\ndef build(records, context):\n    if records[0] == 'attack':\n"
    source += textwrap.indent(textwrap.dedent(body), " " * 8) + "\n    return {'n': len(records)}\n"
    return Program(source=source, **{"seconds": 0.5, "memory_bytes": 32 << 20, "recursion": 200} | limits)


def text(value: Any) -> msgspec.Raw:
    """A payload that is JSON, as it is handed on."""
    return msgspec.Raw(msgspec.json.encode(value))


def items(*records: Any) -> list[msgspec.Raw]:
    return [msgspec.Raw(msgspec.json.encode(record)) for record in records]


ATTACKS = {
    "a file read": "return open('/etc/passwd').read()",
    "a file written": "open('/tmp/haulier-attack', 'w').write('x')",
    "a path read": "import pathlib\nreturn pathlib.Path('/etc/passwd').read_text()",
    "a folder listed": "import os\nreturn os.listdir('/')",
    "a variable of the environment": "import os\nreturn os.environ['PATH']",
    "a command": "import os\nos.system('true')",
    "a process": "import subprocess",
    "a socket": "import socket",
    "a request": "import urllib.request",
    "a client": "import http.client",
    "the machine": "import ctypes",
    "a class of a value": "return str(().__class__.__bases__)",
    "subclasses": "return str(object.__subclasses__())",
    "globals of a function": "return str(build.__globals__)",
    "a name got by text": "return str(getattr([], '__class__'))",
    "an import by text": "return str(__import__('os').system('true'))",
    "an endless loop": "while True:\n    pass",
    "an endless count": "import itertools\nfor _ in itertools.count():\n    pass",
    "a long sum": "return sum(range(10 ** 12))",
    "an endless print": "while True:\n    print('x' * 1000)",
    "a long text": "return 'a' * 10 ** 9",
    "a long list": "return [0] * 10 ** 9",
    "a list that grows": "found = []\nwhile True:\n    found.append('x' * 1000)",
    "a mapping that grows": "found = {}\nwhile True:\n    found[len(found)] = len(found)",
    "a great number": "return 2 ** (10 ** 9)",
    "deep recursion": "return build(records, context)",
    "deep nesting": "found = []\nfor _ in range(10 ** 6):\n    found = [found]\nreturn found",
    "a circle": "found = []\nfound.append(found)\nreturn found",
    "a result of no JSON": "return {1, 2}",
    "not a number": "return float('nan')",
    "nothing": "return None",
    "no payload": "return Payload(b'x', records=[7, 'x'])",
    "another header": "return Payload(b'x', media_type='text/plain\\r\\nX-Other: 1')",
    "an exit": "raise SystemExit(1)",
    "an interrupt": "raise KeyboardInterrupt()",
    "an assertion": "assert False",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_an_error_of_its_batch_and_harms_nothing_else(attack: str) -> None:
    sandbox = Sandbox(program(ATTACKS[attack]), STARTED)
    try:
        began = time.monotonic()
        with pytest.raises(RecordError):
            sandbox.call(items("attack", 1), range(3, 5))
        assert time.monotonic() - began < 30
        assert sandbox.call(items(1, 2, 3), range(3)) == (Portion(payload=text({"n": 3})),)
        assert not Path("/tmp/haulier-attack").exists()
    finally:
        sandbox.close()


@pytest.mark.parametrize(
    "harmless",
    [
        "import re\nre.match('(a+)+$', 'a' * 40 + 'b')",
        "import re\nre.search('(x+x+)+y', 'x' * 60)",
        "import time\ntime.sleep(3600)",
        "import os\nassert os.getenv('PATH') is None",
    ],
    ids=["regular expression", "another one", "sleep", "environment"],
)
def test_what_takes_for_ever_elsewhere_takes_no_time_here(harmless: str) -> None:
    sandbox = Sandbox(
        program(f"try:\n{textwrap.indent(harmless, '    ')}\nexcept RuntimeError:\n    pass"), STARTED
    )
    began = time.monotonic()
    assert sandbox.call(items("attack"), range(1)) == (Portion(payload=text({"n": 1})),)
    assert time.monotonic() - began < 20
    sandbox.close()


def test_a_result_that_is_too_large_is_an_error() -> None:
    sandbox = Sandbox(
        program(f"return 'a' * ({MOST_BYTES} + 1)", memory_bytes=256 << 20, seconds=5.0), STARTED
    )
    with pytest.raises(
        RecordError, match="build returned a payload of 8,388,611 bytes; 8,388,608 is the most"
    ):
        sandbox.call(items("attack"), range(1))
    sandbox.close()


def workers() -> set[int]:
    """Processes of the sandbox that this process has started."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "monty" and int(rest.split()[1]) == os.getpid():
            found.add(int(status.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_worker_that_is_killed_is_an_error_of_its_batch() -> None:
    before = workers()
    sandbox = Sandbox(program("while True:\n    pass", seconds=30.0), STARTED)
    (mine,) = workers() - before
    killing = threading.Timer(0.3, os.kill, (mine, signal.SIGKILL))
    killing.start()
    with pytest.raises(RecordError, match=r"^code: the process of the sandbox died or did not answer"):
        sandbox.call(items("attack"), range(1))
    assert sandbox.call(items(1), range(1)) == (Portion(payload=text({"n": 1})),)
    assert mine not in workers()
    sandbox.close()
    assert workers() <= before


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("attack", ["an endless loop", "a long text", "deep recursion"])
def test_a_worker_that_hit_a_limit_is_thrown_away_and_one_that_raised_is_kept(attack: str) -> None:
    before = workers()
    sandbox = Sandbox(program(ATTACKS[attack] + "\n"), STARTED)
    (first,) = workers() - before
    sandbox.call(items(1), range(1))
    assert workers() - before == {first}
    with pytest.raises(RecordError):
        sandbox.call(items("attack"), range(1))
    sandbox.call(items(1), range(1))
    assert first not in workers()
    sandbox.close()


def test_the_loop_is_never_held() -> None:
    """While several threads wait for endless loops, the event loop goes on: by its own time, and by the clock."""
    sandbox = Sandbox(program(ATTACKS["an endless loop"], seconds=1.0), STARTED)
    held: list[float] = []
    ticks: list[float] = []

    def attack() -> None:
        with pytest.raises(RecordError):
            sandbox.call(items("attack"), range(1))

    async def watch() -> None:
        work = [asyncio.to_thread(attack) for _ in range(3)]
        gathered = asyncio.gather(*work)
        while not gathered.done():
            spent, at = time.thread_time(), time.monotonic()
            await asyncio.sleep(0.001)
            held.append(time.thread_time() - spent)
            ticks.append(time.monotonic() - at)
        await gathered

    leave_garbage()
    asyncio.run(watch())
    sandbox.close()
    assert max(held) < 0.020
    # On a machine under load a single tick may come late; a loop that was held would have none at all for a second.
    assert sorted(ticks)[int(len(ticks) * 0.9)] < 0.020
    assert max(ticks) < 0.5


SEEN = """
import datetime, random, time
seen = []
def build(records, context):
    seen.append(len(records))
    return {"seen": seen, "now": str(datetime.datetime.now(datetime.timezone.utc)), "time": time.time(),
            "random": random.random(), "context": context}
"""


def test_nothing_is_left_of_the_batch_before_and_clock_and_chance_stand_still() -> None:
    sandbox = Sandbox(Program(source=SEEN), STARTED)
    ((one,), (again,), (other,)) = [
        sandbox.call(items(1, 2), positions) for positions in (range(5, 7), range(5, 7), range(7, 9))
    ]
    sandbox.close()
    assert one == again
    first, next_one = msgspec.json.decode(one.payload), msgspec.json.decode(other.payload)
    assert first["seen"] == next_one["seen"] == [2]
    assert first["now"] == "2026-01-01 00:00:00.250000+00:00"
    assert first["time"] == next_one["time"] == STARTED
    assert first["random"] != next_one["random"]
    assert first["context"] == {"positions": [5, 6], "started": "2026-01-01T00:00:00.250000Z"}


RETURNS: dict[str, tuple[str, tuple[Portion, ...]]] = {
    "a value": ("{'a': records}", (Portion(payload=text({"a": [{"id": 1}, 12345678901234567890123]})),)),
    "bytes": ("b'a,b'", (Portion(payload=b"a,b"),)),
    "bytes with a media type": ("(b'a,b', 'text/csv')", (Portion(payload=b"a,b", media_type="text/csv"),)),
    "one payload": ("Payload([1])", (Portion(payload=text([1])),)),
    "several": (
        "[Payload(records[0], records=[0]), Payload(b'x', records=[1], media_type='text/plain; charset=utf-8')]",
        (
            Portion(payload=text({"id": 1}), carries=[0]),
            Portion(payload=b"x", carries=[1], media_type="text/plain; charset=utf-8"),
        ),
    ),
}


@pytest.mark.parametrize("kind", [Sandbox, Trusted])
@pytest.mark.parametrize("returned", RETURNS)
def test_what_may_be_returned(kind: Any, returned: str) -> None:
    text, portions = RETURNS[returned]
    runner = kind(Program(source=f"def build(records, context):\n    return {text}\n"), STARTED)
    assert runner.call(items({"id": 1}, 12345678901234567890123), range(2)) == portions
    runner.close()


def test_trusted_code_that_ends_the_program_ends_its_batch_alone() -> None:
    runner = Trusted(
        Program(source="import sys\ndef build(records, context):\n    sys.exit('enough')\n"), STARTED
    )
    with pytest.raises(RecordError, match=r"^code:3:5: SystemExit: enough at sys\.exit\('enough'\)$"):
        runner.call(items({"id": 1}), range(1))
    runner.close()


@pytest.mark.parametrize("kind", [Sandbox, Trusted])
def test_an_error_says_line_column_and_source(kind: Any) -> None:
    source = "def build(records, context):\n    total = 0\n    for record in records:\n"
    source += "        total += record['price']\n    return total\n"
    runner = kind(Program(source=source, file="build.py"), STARTED)
    with pytest.raises(RecordError) as caught:
        runner.call(items({"price": 1}, {"id": 7}), range(100, 102))
    assert str(caught.value).replace("'price'", "price") == (
        "build.py:4:18: KeyError: price at total += record[price]"
    )
    runner.close()


@pytest.mark.parametrize("kind", [Sandbox, Trusted])
@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def build(records, context)\n    return 1\n", r"^code:1:28: "),
        ("x = 1\n", r"^code: it defines no function `build\(records, context\)`$"),
    ],
)
def test_what_is_no_program_is_said_before_the_first_record(kind: Any, source: str, told: str) -> None:
    with pytest.raises(DestinationError, match=told):
        kind(Program(source=source), STARTED)


def test_what_the_sandbox_does_not_know_is_said_with_its_place() -> None:
    with pytest.raises(DestinationError, match=r"^code:2:5: NotImplementedError: .*yield.* at yield 1$"):
        Sandbox(Program(source="def build(records, context):\n    yield 1\n"), STARTED)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def build(records, context) -> int:\n    return 'x'\n", ["invalid-return-type"]),
        ("def build(records, context):\n    return recods\n", ["code:2:12", "recods"]),
        ("def build(records, context):\n    return Payload({}, record=[1])\n", ["code:2:24", "record"]),
        ("def build(records, context):\n    return Payload({}, records=[1])\n", []),
    ],
)
def test_a_type_check_finds_what_would_fail_later(source: str, told: list[str]) -> None:
    sandbox = Sandbox(Program(source=source), STARTED)
    problems = sandbox.problems()
    assert bool(problems) == bool(told)
    assert all(word in "\n".join(problems) for word in told)
    sandbox.close()


def test_without_the_extra_it_is_refused_and_nothing_else_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pydantic_monty", None)
    with pytest.raises(
        ConfigurationError, match=r"pip install 'haulier\[sandbox\]'. Nothing else runs it instead$"
    ):
        Sandbox(Program(source="def build(records, context):\n    return 1\n"), STARTED)


@pytest.fixture(autouse=True)
def _nothing_printed(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """What code prints reaches nobody's terminal."""
    yield
    assert "xxx" not in capfd.readouterr().out


@pytest.mark.parametrize("kind", [Sandbox, Trusted])
@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (
            "[]",
            r"^build returned an empty list, so no payload at all, and its records would be lost; .*`Payload",
        ),
        ("[Payload(1) for record in records if record == 7]", r"^build returned an empty list"),
        ("()", r"^build returned an empty list"),
        ("[Payload(1, records=[0]), {'a': 1}]", r"^build returned a list in which only some are Payload"),
        ("[{'a': 1}, Payload(1, records=[0])]", r"^build returned a list in which only some are Payload"),
        ("float('inf')", r"^build returned NaN, an infinity"),
    ],
)
def test_what_loses_records_or_is_no_payload_is_an_error(kind: Any, returned: str, told: str) -> None:
    runner = kind(Program(source=f"def build(records, context):\n    return {returned}\n"), STARTED)
    with pytest.raises(RecordError, match=told):
        runner.call(items(1, 2), range(3, 5))
    runner.close()


@pytest.mark.parametrize("kind", [Sandbox, Trusted])
def test_a_body_of_an_empty_list_is_said_as_a_payload(kind: Any) -> None:
    runner = kind(Program(source="def build(records, context):\n    return Payload([])\n"), STARTED)
    assert runner.call(items(1, 2), range(2)) == (Portion(payload=text([])),)
    runner.close()


@pytest.mark.parametrize("kind", [Sandbox, Trusted])
def test_a_number_beyond_a_double_is_the_record_s_fault_and_not_build_s(kind: Any) -> None:
    runner = kind(Program(source="def build(records, context):\n    return records\n"), STARTED)
    batch = [msgspec.Raw(b'{"a":1.5}'), msgspec.Raw(b'{"a":[-1e999]}')]
    with pytest.raises(RecordError) as caught:
        runner.call(batch, range(2))
    assert caught.value.each == (
        (
            batch[1],
            "holds the number '-1e999', which Python reads as an infinity; have `types` make it a text",
        ),
    )
    runner.close()


DEEP = msgspec.Raw(b'{"a":' + b"[" * 900 + b"]" * 900 + b"}")
LONG = msgspec.Raw(b'{"a":' + b"9" * 5_000 + b"}")


@pytest.mark.parametrize(
    ("kind", "bad", "told"),
    [
        (Sandbox, DEEP, "recursion limit exceeded"),
        *(
            (kind, LONG, "Exceeds the limit (4300 digits) for integer string conversion")
            for kind in (Sandbox, Trusted)
        ),
    ],
)
def test_a_record_that_python_cannot_read_is_at_fault_alone(kind: Any, bad: msgspec.Raw, told: str) -> None:
    runner = kind(Program(source="def build(records, context):\n    return records\n"), STARTED)
    good = msgspec.Raw(b'{"a":1}')
    with pytest.raises(RecordError) as caught:
        runner.call([good, bad, good], range(3))
    ((item, reason),) = caught.value.each
    assert item is bad
    assert reason.startswith(f"cannot be handed to code: {told}")
    assert reason.endswith("; leave it out with `exclude`, or have `types` make it a text")
    assert runner.call([good], range(1)) == (Portion(payload=text([{"a": 1}])),)
    runner.close()


@pytest.mark.parametrize("kind", [Sandbox, Trusted])
@pytest.mark.parametrize(
    ("head", "told"),
    [
        (
            "def build(records):",
            r"^code:2:1: `build\(records\)` cannot be called with two arguments, .*; write `def ",
        ),
        ("def build():", r"^code:2:1: `build\(\)` cannot"),
        ("def build(a, b, c):", r"^code:2:1: `build\(a, b, c\)` cannot"),
        ("def build(a, *, b):", r"^code:2:1: `build\(a, \*, b\)` cannot"),
        ("def build(records, context):", None),
        ("def build(records, context, more=1):", None),
        ("def build(*all):", None),
    ],
)
def test_a_build_that_takes_other_arguments_is_refused_beforehand(
    kind: Any, head: str, told: str | None
) -> None:
    program = Program(source=f"\n{head}\n    return 1\n")
    if told is None:
        runner = kind(program, STARTED)
        assert runner.call(items(1), range(1)) == (Portion(payload=text(1)),)
        runner.close()
        return
    with pytest.raises(DestinationError, match=told):
        kind(program, STARTED)


@pytest.mark.parametrize(
    ("attack", "told"),
    [
        ("an endless loop", r"; `seconds: 0\.5` is the most for a batch"),
        ("a long text", r"; `memory_mb: 32` is the most for a batch at return 'a' \* 10 \*\* 9"),
        ("deep recursion", r"; `recursion: 200` is the most at return build\(records, context\)"),
    ],
)
def test_who_hits_a_limit_is_told_which_setting_it_is(attack: str, told: str) -> None:
    sandbox = Sandbox(program(ATTACKS[attack]), STARTED)
    with pytest.raises(RecordError, match=told):
        sandbox.call(items("attack"), range(1))
    sandbox.close()


def test_nothing_that_code_prints_is_heard(capfd: pytest.CaptureFixture[str]) -> None:
    sandbox = Sandbox(program("print('xxx attack')", head="print('xxx head')"), STARTED)
    sandbox.call(items("attack"), range(1))
    assert sandbox.problems() == []
    sandbox.close()
    assert "xxx" not in "".join(capfd.readouterr())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("source", ["build = 1\n", "x =\n", "while True:\n    pass\n"])
def test_a_program_that_is_refused_leaves_no_process(source: str) -> None:
    before = workers()
    with pytest.raises(DestinationError):
        Sandbox(Program(source=source, seconds=0.3), STARTED)
    assert workers() <= before


def test_what_is_called_build_and_is_no_function_is_refused() -> None:
    with pytest.raises(DestinationError, match=r"^code: `build` is no function; write `def build\("):
        Sandbox(Program(source="build = 1\n"), STARTED)
