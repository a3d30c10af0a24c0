"""What goes wrong on purpose: which request a fault meets, and what it does to the answer."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Self

import msgspec
from starlette.responses import Response

from haulier.testing.emulator.answer import Answer
from haulier.testing.emulator.errors import EmulatorError

HTML = "text/html; charset=utf-8"
PAGE = "<!doctype html><html><head><title>Proxy</title></head><body>This is not the API.</body></html>"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that goes wrong.

    Which requests it meets: those with this `method` and `path` (without query; `*` stands for anything) and
    with `body_contains` in their body. Of these it leaves alone the first `nth` - 1, then takes each
    `every`-th, `count` times (None: for ever). So faults that name nothing are used up in the order in which
    they were planned.

    What it does: with `status` the service does nothing and that is the answer, with `body` (text, bytes, or
    anything else as JSON), `content_type` and `headers`; without a body the service's own words. `delay_s`
    holds back any answer, so a request without `status` has had its effect by then. `drop` closes the
    connection: "unhandled" before the service did anything, "unanswered" after it did and before the first
    byte of the answer, "partial" in the middle of the answer's body; `reset` makes that a TCP reset. A fault
    that says nothing lets a request pass.
    """

    method: str | None = None
    path: str | None = None
    body_contains: str | None = None
    nth: int = 1
    every: int = 1
    count: int | None = 1
    status: int | None = None
    body: Any = None
    content_type: str | None = None
    headers: dict[str, str] = {}
    delay_s: float = 0.0
    drop: Literal["unhandled", "unanswered", "partial"] | None = None
    reset: bool = False

    def __post_init__(self) -> None:
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status must be 200 to 599, not {self.status}")
        if self.status is None and (self.body is not None or self.content_type is not None or self.headers):
            raise ValueError("body, content_type and headers need a status")
        if self.nth < 1 or self.every < 1 or (self.count is not None and self.count < 1):
            raise ValueError("nth, every and count must be 1 or more; a count of null goes on for ever")
        if not 0 <= self.delay_s < float("inf"):
            raise ValueError(f"delay_s must be 0 or more, not {self.delay_s}")
        if self.reset and self.drop is None:
            raise ValueError("reset says how to drop a connection, so it needs drop")
        if any(bad in part for pair in self.headers.items() for part in pair for bad in "\r\n"):
            raise ValueError("headers must hold no line breaks")

    @classmethod
    def passing(cls, **match: Any) -> Self:
        """Lets a request through; holds a place in an ordered plan."""
        return cls(**match)

    @classmethod
    def refused(cls, status: int, *, retry_after: int | str | None = None, **match: Any) -> Self:
        """The service's own refusal; `retry_after` is seconds or an HTTP date."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return cls(status=status, headers=headers, **match)

    @classmethod
    def html(cls, status: int = 200, page: str = PAGE, **match: Any) -> Self:
        """A page such as a proxy or a captive portal puts in the way."""
        return cls(status=status, body=page, content_type=HTML, **match)

    @classmethod
    def redirected(cls, location: str, status: int = 302, **match: Any) -> Self:
        """A redirect to `location`."""
        return cls(status=status, body="", headers={"Location": location}, **match)

    @classmethod
    def dropped(cls, drop: Literal["unhandled", "unanswered", "partial"] = "unhandled", **match: Any) -> Self:
        """A connection that is closed instead of answered."""
        return cls(drop=drop, **match)

    @classmethod
    def delayed(cls, delay_s: float, **match: Any) -> Self:
        """An answer that comes `delay_s` seconds late."""
        return cls(delay_s=delay_s, **match)

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """Whether a request is one of those this fault is meant for."""
        return (
            (self.method is None or self.method.upper() == method.upper())
            and (self.path is None or fnmatchcase(path, self.path))
            and (self.body_contains is None or self.body_contains.encode() in body)
        )

    def answer(self) -> Answer | None:
        """The answer the fault brings along, None when that is left to the service's own words."""
        if self.status is None or self.body is None:
            return None
        if isinstance(self.body, str | bytes):
            content, kind = self.body, "text/plain; charset=utf-8"
        else:
            content, kind = msgspec.json.encode(self.body), "application/json"
        response = Response(content, self.status, media_type=self.content_type or kind)
        return Answer.of(response).with_headers(self.headers)


class FaultPlan:
    """The faults still to come; a request meets the first that is due. Settable from any thread."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = Lock()
        self._planned: list[_Planned] = []
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Plan further faults, after those already planned."""
        with self._lock:
            self._planned.extend(_Planned(fault) for fault in faults)

    def clear(self) -> None:
        """Forget every planned fault."""
        with self._lock:
            self._planned.clear()

    def left(self) -> list[Fault]:
        """The faults not used up, each with the `count` that is left."""
        with self._lock:
            return [planned.rest() for planned in self._planned]

    def take(self, method: str, path: str, body: bytes) -> Fault | None:
        """The fault this request meets; counts the request and the use."""
        with self._lock:
            due = [planned for planned in self._planned if planned.sees(method, path, body)]
            if not due:
                return None
            due[0].used += 1
            self._planned = [planned for planned in self._planned if not planned.used_up]
            return due[0].fault


class _Planned:
    """A fault and how far it has got."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.used = 0

    @property
    def used_up(self) -> bool:
        return self.fault.count is not None and self.used >= self.fault.count

    def sees(self, method: str, path: str, body: bytes) -> bool:
        """Count a request the fault is meant for; whether it is due."""
        if not self.fault.matches(method, path, body):
            return False
        self.seen += 1
        past_first = self.seen - self.fault.nth
        return past_first >= 0 and past_first % self.fault.every == 0

    def rest(self) -> Fault:
        if self.fault.count is None:
            return self.fault
        return msgspec.structs.replace(self.fault, count=self.fault.count - self.used)


def parse_faults(text: str | bytes) -> list[Fault]:
    """Faults out of JSON: one object or a list of them; `@PATH` reads the JSON from a file.

    Raises EmulatorError, which names the place of what does not hold.
    """
    source = text.decode() if isinstance(text, bytes) else text
    try:
        if source.startswith("@"):
            source = Path(source[1:]).read_text(encoding="utf-8")
        decoded = msgspec.json.decode(source)
        return msgspec.convert(decoded if isinstance(decoded, list) else [decoded], list[Fault])
    except (msgspec.MsgspecError, OSError, UnicodeDecodeError) as error:
        fields = ", ".join(Fault.__struct_fields__)
        raise EmulatorError(f"no fault can be read from {text!r}: {error}. A fault has {fields}") from error
