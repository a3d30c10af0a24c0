"""Code in this very process, with all that Python can: only where its file and the command line both say so."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from types import CodeType
from typing import Any

import msgspec

from haulier.errors import DestinationError, RecordError
from haulier.io.code.said import portions_of, unread
from haulier.io.code.signature import check_signature
from haulier.model.parts import Portion, Program
from haulier.model.request import Positions
from haulier.model.wording import one_line

__all__ = ["Trusted"]


class Payload:
    """What `build` may return: a body, the indices of the records it carries, and of bytes the media type."""

    def __init__(self, body: Any, records: list[int] | None = None, media_type: str = "") -> None:
        """records None: all of the batch."""
        self.body, self.records, self.media_type = body, records, media_type


class Trusted:
    """Runs one program; each batch begins with its globals as they were. Nothing bounds it."""

    def __init__(self, program: Program, started: float) -> None:
        self._name = program.file or "code"
        self._source = program.source.splitlines()
        self._started = datetime.fromtimestamp(started, UTC).isoformat().replace("+00:00", "Z")
        try:
            self._code: CodeType = compile(program.source, self._name, "exec")
        except (SyntaxError, ValueError) as error:
            line, column = getattr(error, "lineno", 1), getattr(error, "offset", 1)
            raise DestinationError(f"{self._name}:{line}:{column}: {getattr(error, 'msg', error)}") from None
        if "build" not in self._code.co_names:
            raise DestinationError(f"{self._name}: it defines no function `build(records, context)`")
        check_signature(program.source, self._name)

    def call(self, items: Sequence[Any], positions: Positions) -> tuple[Portion, ...]:
        """What `build` makes of a batch; RecordError says where and why it makes nothing."""
        names: dict[str, Any] = {"__name__": "haulier_code", "Payload": Payload}
        try:
            records = json.loads(msgspec.json.encode(items))
        except (ValueError, RecursionError) as error:
            each = unread(items, [_fault(item) for item in items])
            raise RecordError(each[0][1] if each else self._told(error), each=each) from None
        try:
            exec(self._code, names)  # noqa: S102 - a person has said twice that this code is trusted
            made = names["build"](records, {"positions": list(positions), "started": self._started})
            return portions_of(_said(made), items)
        except RecordError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a person's code raises is told with its place
            raise RecordError(self._told(error)) from None

    def problems(self) -> list[str]:
        """Nothing: code that is trusted is not checked."""
        return []

    def close(self) -> None:
        """There is nothing to let go of."""

    def _told(self, error: BaseException) -> str:
        what = one_line(f"{type(error).__name__}: {error}")
        mine = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == self._name]
        if not mine:
            return f"{self._name}: {what}"
        line, column = mine[-1].lineno or 1, (mine[-1].colno or 0) + 1
        return f"{self._name}:{line}:{column}: {what} at {self._source[line - 1].strip()}"


def _fault(item: Any) -> str:
    """Why an item cannot be read as it is in its batch, or an empty text."""
    try:
        json.loads(msgspec.json.encode([item]))
    except (ValueError, RecursionError) as error:
        return str(error)
    return ""


def _said(made: Any) -> list[tuple[Any, Any, Any]] | None:
    if isinstance(made, Payload):
        made = [made]
    if isinstance(made, list | tuple) and not made:
        return []
    if isinstance(made, list | tuple) and any(isinstance(one, Payload) for one in made):
        if not all(isinstance(one, Payload) for one in made):
            return None
        return [(_text(one.body), one.records, one.media_type) for one in made]
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], bytes):
        return [(made[0], None, made[1])]
    return [(_text(made), None, "")]


def _text(body: Any) -> Any:
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
