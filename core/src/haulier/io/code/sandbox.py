"""The sandbox: `build` in worker processes of pydantic-monty, an interpreter without files, network or environment.

Every batch gets a session of its own, so nothing is left of the one before it. A worker that did anything but return or
raise is thrown away.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from haulier.errors import ConfigurationError, DestinationError, RecordError
from haulier.io.code.said import portions_of, unread
from haulier.io.code.signature import check_signature
from haulier.model.parts import Portion, Program
from haulier.model.request import Positions
from haulier.model.wording import one_line

if TYPE_CHECKING:
    from pydantic_monty import Monty, MontyError, MontySession

__all__ = ["Sandbox"]

_GRACE_S = 5.0  # after its own limit a worker is killed
_LONGEST_LINE = 120
# What code may use beside Python: a payload that names its records, or is bytes.
_PAYLOAD = """\
class Payload:
    def __init__(self, body, records=None, media_type=""):
        self.body = body
        self.records = records
        self.media_type = media_type
"""
_STUBS = """\
from typing import Any
class Payload:
    def __init__(self, body: Any, records: list[int] | None = None, media_type: str = "") -> None: ...
"""
_CALL = """\
import json as _json
def _text(body):
    return body if isinstance(body, bytes) else _json.dumps(body, ensure_ascii=False, separators=(",", ":"))
def _said(made):
    if isinstance(made, Payload):
        return [(_text(made.body), made.records, made.media_type)]
    if isinstance(made, (list, tuple)) and not made:
        return []
    if isinstance(made, (list, tuple)) and any([isinstance(one, Payload) for one in made]):
        if not all([isinstance(one, Payload) for one in made]):
            return None
        return [(_text(one.body), one.records, one.media_type) for one in made]
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], bytes):
        return [(made[0], None, made[1])]
    return [(_text(made), None, "")]
_made = build(_json.loads(_records), _json.loads(_context))
_said(_made)
"""
_READ = """\
import json as _json
def _fault(text):
    try:
        _json.loads(text)
    except Exception as error:
        return str(error)
    return ""
[_fault(text) for text in _texts]
"""
_USER = "<python-input-1>"


class Sandbox:
    """Runs one program; safe to call from several threads, each call in a process of its own.

    started: Unix seconds, where the clock stands still. Raises ConfigurationError where the extra is not installed,
    DestinationError where the program cannot be read.
    """

    def __init__(self, program: Program, started: float) -> None:
        try:
            import pydantic_monty  # noqa: PLC0415 - an extra, and 0.1 s
        except ImportError:
            raise ConfigurationError(
                "the grouping runs code in a sandbox, which is not installed: pip install 'haulier[sandbox]'. "
                "Nothing else runs it instead"
            ) from None
        self._monty = pydantic_monty
        self._program = program
        self._clock = datetime.fromtimestamp(started, UTC)
        self._name = program.file or "code"
        self._free: queue.SimpleQueue[Monty] = queue.SimpleQueue()
        self._closed = False
        self._try_out()

    def call(self, items: Sequence[Any], positions: Positions) -> tuple[Portion, ...]:
        """What `build` makes of a batch; RecordError says where and why it makes nothing."""
        try:
            said = self._said(items, positions)
        except self._monty.MontyError as error:
            # What fails outside of the program may be the reading of a record, and then the others are not at fault.
            each = () if self._frames(error) else unread(items, self._faults(items))
            raise RecordError(each[0][1] if each else self._told(error), each=each) from None
        return portions_of(said, items)

    def problems(self) -> list[str]:
        """What a type check finds, each with its line and column."""
        pool = self._pool()
        try:
            with self._session(pool, 0, type_check=True) as session:
                session.feed_run(self._program.source, print_callback=_unheard)
        except self._monty.MontyTypingError as error:
            lines = [line.strip() for line in error.display().splitlines()]
            return [line.replace("main.py", self._name) for line in lines if line]
        except self._monty.MontyError as error:
            return [self._told(error)]
        finally:
            self._free.put(pool)
        return []

    def close(self) -> None:
        """End the workers that are idle; those that are busy end when they are done."""
        self._closed = True
        with suppress(queue.Empty):
            while True:
                _end(self._free.get_nowait())

    def _try_out(self) -> None:
        """Read the program once, so that what is no program is said before the first record."""
        check_signature(self._program.source, self._name)
        pool, kind = self._pool(), ""
        try:
            with self._session(pool, 0) as session:
                session.feed_run(_PAYLOAD)
                session.feed_run(self._program.source, print_callback=_unheard)
                kind = session.feed_run("str(type(build))")
        except self._monty.MontyError as error:
            told = self._told(error)
            if "name 'build' is not defined" in told:
                told = f"{self._name}: it defines no function `build(records, context)`"
            raise DestinationError(told) from None
        finally:
            if "function" in kind:
                self._free.put(pool)
            else:
                _end(pool)
        if "function" not in kind:
            raise DestinationError(
                f"{self._name}: `build` is no function; write `def build(records, context):`"
            )

    def _said(self, items: Sequence[Any], positions: Positions) -> list[tuple[Any, Any, Any]] | None:
        context = {"positions": list(positions), "started": self._clock.isoformat().replace("+00:00", "Z")}
        inputs = {
            "_records": msgspec.json.encode(items).decode(),
            "_context": msgspec.json.encode(context).decode(),
        }
        pool, sound = self._pool(), False
        try:
            with self._session(pool, positions[0]) as session:
                session.feed_run(_PAYLOAD)
                session.feed_run(self._program.source, print_callback=_unheard)
                said: list[tuple[Any, Any, Any]] | None = session.feed_run(
                    _CALL, inputs=inputs, print_callback=_unheard
                )
            sound = True
            return said
        except self._monty.MontyRuntimeError as error:
            sound = not isinstance(error.exception(), TimeoutError | MemoryError | RecursionError)
            raise
        finally:
            self._let_go(pool, sound)

    def _faults(self, items: Sequence[Any]) -> list[str]:
        """Of each item, why the sandbox cannot read its JSON; empty texts where it can, or does not say."""
        pool, sound = self._pool(), False
        texts = [msgspec.json.encode([item]).decode() for item in items]  # as deep as in their batch
        faults = [""] * len(items)
        try:
            with suppress(self._monty.MontyError), self._session(pool, 0) as session:
                faults = session.feed_run(_READ, inputs={"_texts": texts})
                sound = True
        finally:
            self._let_go(pool, sound)
        return faults

    def _let_go(self, pool: Monty, sound: bool) -> None:
        """Keep a worker for the next batch, or end it."""
        if sound and not self._closed:
            self._free.put(pool)
        else:
            _end(pool)

    def _pool(self) -> Monty:
        """A worker process, alone in its pool, so that it can be thrown away by itself."""
        try:
            return self._free.get_nowait()
        except queue.Empty:
            pool = self._monty.Monty(max_processes=1, request_timeout=self._program.seconds + _GRACE_S)
            return pool.__enter__()

    def _session(self, pool: Monty, first: int, *, type_check: bool = False) -> MontySession:
        program = self._program
        return pool.checkout(
            limits={
                "max_feed_duration_secs": program.seconds,
                "max_memory": program.memory_bytes,
                "max_recursion_depth": program.recursion,
            },
            os_policy={
                "datetime": self._clock,
                "timezone": "utc",
                "sleep": "zero",
                "process_time": "zero",
                "random_start": {"seed": first},
            },
            type_check=type_check,
            type_check_stubs=_STUBS if type_check else None,
            type_check_format="concise" if type_check else None,
        )

    def _way_out(self, error: MontyError) -> str:
        """Which setting bounds what a program did too much of."""
        kind, program = type(error.exception()), self._program
        if kind is TimeoutError:
            return f"; `seconds: {program.seconds:g}` is the most for a batch"
        if kind is MemoryError:
            return f"; `memory_mb: {program.memory_bytes >> 20}` is the most for a batch"
        return f"; `recursion: {program.recursion}` is the most" if kind is RecursionError else ""

    def _frames(self, error: MontyError) -> list[Any]:
        """Where in the program it came from, the innermost last; none where it came from elsewhere."""
        frames = error.traceback() if hasattr(error, "traceback") else []
        return [frame for frame in frames if frame.filename == _USER]

    def _told(self, error: MontyError) -> str:
        """An error with its place in the program: `code:3:12: KeyError: 'price' at total += r["price"]`."""
        if isinstance(error, self._monty.MontyCrashedError):
            return f"{self._name}: the process of the sandbox died or did not answer: {error}"
        mine = self._frames(error)
        what = one_line(str(error)) + self._way_out(error)
        if not mine:
            return f"{self._name}: {what}"
        last = mine[-1]
        lines = self._program.source.splitlines()
        source = lines[last.line - 1].strip() if last.line <= len(lines) else ""
        at = f" at {source[:_LONGEST_LINE]}" if source else ""
        return f"{self._name}:{last.line}:{last.column}: {what}{at}"


def _unheard(stream: str, text: str) -> None:
    """What code prints goes nowhere."""


def _end(pool: Monty) -> None:
    pool.__exit__(None, None, None)
