"""The fault matrix: what a server does, and what becomes of the records. `tests/faults` asserts it, `docs/delivery.md`
prints it, so the two cannot differ.

In each run something good goes before and behind the request that a row is about, unless the row says that it is the
first. A delivery has five attempts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.faults.steps import GOOD, Close, Forever, Pause, Reset, Steps, says

SIZE = 3  # records of the batch that a row is about; the one in the middle is the bad one
Does: TypeAlias = "Callable[[tuple[int, ...], int], Steps]"


@dataclass(frozen=True)
class Came:
    """What it came to. states: one word for all records, or how many of each. requests: how often something was sent.

    different: how many different requests these were; each is sent again with the same bytes and key. stops: the run
    stops, resumably.
    """

    states: str | Mapping[str, int]
    requests: int = 1
    different: int = 1
    stops: bool = False

    def of(self, count: int) -> dict[str, int]:
        """How many of so many records are in which state."""
        return {self.states: count} if isinstance(self.states, str) else dict(self.states)

    def words(self) -> str:
        """As the page says it."""
        if isinstance(self.states, str):
            states = f"`{self.states}`"
        else:
            states = ", ".join(f"{count} `{state}`" for state, count in self.states.items())
        requests = "1 request" if self.requests == 1 else f"{self.requests} requests"
        if self.different > 1:
            requests += f", {self.different} different"
        return f"{'the run stops: ' if self.stops else ''}{states}, {requests}"


@dataclass(frozen=True)
class Fault:
    """Something that may pass by. once: it happens to the first attempt; each: to every one.

    park: what comes of it under `unanswered: park`, however often it happens; None: the same as under `resend`.
    also: what comes to the same at each attempt.
    """

    what: str
    steps: Steps
    once: Came
    each: Came
    park: Came | None = None
    unread: bool = False
    written: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[Steps, ...] = ()


@dataclass(frozen=True)
class Answered:
    """An answer, or several one after the other. does: by the places of the records in the batch and the attempt.

    one: what comes of a request with one record; many: of a batch of three, whose bad record is the second; None: the
    same. park: under `unanswered: park`; None: the same. first: nothing succeeded before. after_s: the wait between the
    first two requests, at least. written: settings, shown: as the page shows them. also: what else comes to the same.
    """

    what: str
    does: Does
    one: Came
    many: Came | None = None
    park: Came | None = None
    first: bool = False
    after_s: float = 0.0
    written: Mapping[str, Any] = field(default_factory=dict)
    shown: str = ""
    stops_with: str = ""
    also: tuple[Steps, ...] = ()


_AGAIN, _LOST, _REFUSED, _PARKED = (
    Came("delivered", 2),
    Came("in_doubt", 10),
    Came("rejected", 10),
    Came("in_doubt"),
)
_DONE = Came("delivered")
_QUICK = {"timeout_s": 2}  # long enough for what is answered at once on a machine under load


def _in_turn(*tries: Steps) -> Does:
    """The attempts one after the other; the last one goes on."""
    return lambda places, before: tries[min(before, len(tries) - 1)]


def _always(content: bytes, *more: Any) -> Does:
    return _in_turn((content, *more))


def _while_bad(content: bytes) -> Does:
    """Refused whole, as long as the bad record is among those sent."""
    return lambda places, before: (content if 1 in places else GOOD,)


def _each_by_itself(status: int) -> Does:
    """A result for each record: the bad one is refused, the last one asks to come again and is taken then."""

    def does(places: tuple[int, ...], before: int) -> Steps:
        word = {0: "ok", 1: "refused", 2: "ok" if len(places) == 1 else "later"}
        results = [{"at": place, "is": word[place], "why": "no price"} for place in places]
        return (says(status, json.dumps({"results": results}).encode()),)

    return does


def _asks_again() -> Does:
    """A result for each record: the bad one asks to come again each time."""

    def does(places: tuple[int, ...], before: int) -> Steps:
        results = [{"is": "later" if place == 1 else "ok"} for place in places]
        return (says(200, json.dumps({"results": results}).encode()),)

    return does


@dataclass(frozen=True)
class Trouble:
    """Something of the machine that the run is on, and what comes of it. code: what the command exits with."""

    what: str
    comes: str
    code: int


TROUBLES = {
    "full": Trouble(
        "the disk becomes full in the middle of a run",
        "what is in flight finishes, the run stops; with room again the same command delivers the rest",
        3,
    ),
    "read-only": Trouble("the folder of the ledger may not be written", "refused, nothing is sent", 2),
    "forward": Trouble(
        "the wall clock jumps a day forward at each request",
        "no difference: no wait is shorter, none longer",
        0,
    ),
    "backward": Trouble("the wall clock jumps a day backward at each request", "no difference", 0),
}


def _statuses(*statuses: int) -> tuple[Steps, ...]:
    return tuple((says(status),) for status in statuses)


_CUT_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"
_HALF = says(200, b'{"ok"', length=100)
_NEEDED = {"success_when": {"at": "/ok", "is": True}}
_RESULTS = {
    "outcomes": {
        "by": "index",
        "at": "/results",
        "status": "/is",
        "reason": "/why",
        "retry": ["later"],
    }
}
_JSON = {"answers": "json"}
_TOGETHER = {"all_or_nothing": True}
_PAGE = says(200, b"<!doctype html><p>Log in", media_type="text/html")
_ELSEWHERE = says(302, b"", Location="http://127.0.0.1:1/elsewhere")
_FAR = {"Date": "Mon, 01 Jan 2001 00:00:00 GMT", "Retry_After": "Mon, 01 Jan 2001 00:00:01 GMT"}
_ALONE = Came({"delivered": 2, "rejected": 1}, 5, 5)

FAULTS = (
    Fault("reset before the body arrived", (Reset(),), _AGAIN, _LOST, _PARKED, unread=True),
    Fault("reset after the whole request arrived", (Reset(),), _AGAIN, _LOST, _PARKED),
    Fault("closed without a word", (Close(),), _AGAIN, _LOST, _PARKED),
    Fault("half a status line, then closed", (b"HTTP/1.1 2", Close()), _AGAIN, _LOST, _PARKED),
    Fault("half a head, then closed", (_CUT_HEAD, Close()), _AGAIN, _LOST, _PARKED),
    Fault(
        "garbage instead of a status line", (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Close()), _AGAIN, _LOST, _PARKED
    ),
    Fault("a header without an end", (_CUT_HEAD, Forever(b"x" * 65536)), _AGAIN, _LOST, _PARKED),
    Fault(
        "headers without an end",
        (_CUT_HEAD, b"Length: 2\r\n", Forever(b"X-More: of it\r\n" * 4096)),
        _AGAIN,
        _LOST,
        _PARKED,
    ),
    Fault(
        "a length that is no number",
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n{}",),
        _AGAIN,
        _LOST,
        _PARKED,
    ),
    Fault("no answer within `timeout_s`", (Pause(30), Close()), _AGAIN, _LOST, _PARKED, written=_QUICK),
    Fault("408, 500, 502 or 504", (says(504),), _AGAIN, _REFUSED, _PARKED, also=_statuses(408, 500, 502)),
    Fault(
        "425, 429, 503 or another 5xx but 501",
        (says(503),),
        _AGAIN,
        _REFUSED,
        also=_statuses(425, 429, 507, 599),
    ),
    Fault("half the body of a 503", (says(503, b"bus", length=100), Close()), _AGAIN, _REFUSED),
)

ANSWERS = (
    Answered("half the body of a 200, then closed", _always(_HALF, Close()), _DONE),
    Answered(
        "the same, where the body decides",
        _always(_HALF, Close()),
        _PARKED,
        written=_NEEDED,
        shown="`success_when`",
    ),
    Answered(
        "the same, where an output keeps the answer",
        _always(_HALF, Close()),
        _PARKED,
        written={"outputs": [{"to": "jsonl", "path": "out.jsonl", "answer": True}]},
        shown="`answer: true`",
    ),
    Answered("half a chunk of a 200, then closed", _always(_CHUNKED, Close()), _DONE),
    Answered("half the body of a 200, then silence", _always(_HALF, Pause(30)), _DONE, written=_QUICK),
    Answered(
        "half the body of a 400, then closed", _always(says(400, b"n", length=9), Close()), Came("rejected")
    ),
    Answered(
        "a body in slow drips, whole in the end",
        _always(says(200, b"", length=4), b"{", Pause(0.2), b" ", Pause(0.2), b" ", Pause(0.2), b"}"),
        _DONE,
    ),
    Answered(
        "drips without end, then well: ten times `timeout_s` are waited for the whole",
        _in_turn((says(200, b"", length=9999), Forever(b" ", 0.4)), (GOOD,)),
        _AGAIN,
        park=_PARKED,
        after_s=19,
        written=_QUICK,
    ),
    Answered(
        "1xx without end, then well: the same",
        _in_turn((Forever(b"HTTP/1.1 102 Processing\r\n\r\n", 0.4),), (GOOD,)),
        _AGAIN,
        park=_PARKED,
        after_s=19,
        written=_QUICK,
    ),
    Answered(
        "100 and 103 before the answer",
        _always(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + GOOD),
        _DONE,
    ),
    Answered(
        "HTTP/1.0, the body to the end of the connection",
        _always(b"HTTP/1.0 200 OK\r\n\r\n{}", Close()),
        _DONE,
    ),
    Answered("200, and closed behind the answer", _always(GOOD, Close()), _DONE),
    Answered("a hundred headers", _always(says(200, **{f"X_{at}": "y" * 40 for at in range(90)})), _DONE),
    Answered("more bytes than announced", _always(says(200, b'{"ok":true}', length=2)), _DONE),
    Answered(
        "a body that is packed otherwise than it says",
        _always(says(200, b"{}", Content_Encoding="gzip")),
        _DONE,
    ),
    Answered("a second answer behind the first", _always(GOOD + says(400)), _DONE),
    Answered("204", _always(b"HTTP/1.1 204 Nothing\r\n\r\n"), _DONE),
    Answered(
        "204, where the body decides",
        _always(b"HTTP/1.1 204 Nothing\r\n\r\n"),
        _PARKED,
        written=_NEEDED,
        shown="`success_when`",
    ),
    Answered(
        "204, where it is to speak of each record",
        _always(b"HTTP/1.1 204 Nothing\r\n\r\n"),
        _PARKED,
        written=_RESULTS,
        shown="`outcomes`",
    ),
    *(
        Answered(
            f"{status} with a result for each record",
            _each_by_itself(status),
            Came("rejected"),
            Came({"delivered": 2, "rejected": 1}, 2, 2),
            written=_RESULTS,
            shown="`outcomes`",
        )
        for status in (207, 400)
    ),
    Answered(
        "200 with a result that asks for a record again, each time",
        _asks_again(),
        Came("rejected", 10),
        Came({"delivered": 2, "rejected": 1}, 10, 2),
        written=_RESULTS,
        shown="`outcomes`",
    ),
    Answered(
        "results for fewer records than were sent",
        _always(says(200, b'{"results": []}')),
        _PARKED,
        written=_RESULTS,
        shown="`outcomes`",
    ),
    Answered(
        "429 with `Retry-After: 1`, then well",
        _in_turn((says(429, Retry_After="1"),), (GOOD,)),
        _AGAIN,
        after_s=1,
    ),
    Answered(
        "429 with a date, by a clock that is decades late, then well",
        _in_turn((says(429, **_FAR),), (GOOD,)),
        _AGAIN,
        after_s=1,
    ),
    Answered(
        "503 with `Retry-After: 1`, then well",
        _in_turn((says(503, Retry_After="1"),), (GOOD,)),
        _AGAIN,
        after_s=1,
    ),
    Answered(
        "429 with `Retry-After: 3600`",
        _always(says(429, Retry_After="3600")),
        Came("pending", stops=True),
        stops_with="limits.patience_s",
    ),
    Answered("503 three times, then well", _in_turn(*[(says(503),)] * 3, (GOOD,)), Came("delivered", 4)),
    Answered(
        "400, 404, 405, 501 or another status",
        _always(says(404)),
        Came("rejected"),
        also=_statuses(400, 405, 406, 410, 415, 451, 501),
    ),
    Answered("400 for the bad record", _while_bad(says(400)), Came("rejected")),
    Answered(
        "400 for the bad record",
        _while_bad(says(400)),
        Came("rejected"),
        _ALONE,
        written=_TOGETHER,
        shown="`all_or_nothing`",
    ),
    Answered(
        "422 for the bad record",
        _while_bad(says(422)),
        Came("rejected"),
        _ALONE,
        written=_TOGETHER,
        shown="`all_or_nothing`",
    ),
    Answered("413 while the bad record is in it", _while_bad(says(413)), Came("rejected"), _ALONE),
    Answered("409", _always(says(409)), Came("rejected")),
    Answered("422", _always(says(422)), Came("rejected")),
    Answered("429, then 409", _in_turn((says(429),), (says(409),)), Came("rejected", 2)),
    Answered("503, then 409 and well", _in_turn((says(503),), (says(409),), (GOOD,)), Came("delivered", 3)),
    Answered("closed, then 409 for ever", _in_turn((Close(),), (says(409),)), _LOST, park=_PARKED),
    Answered("503, then 422", _in_turn((says(503),), (says(422),)), Came("in_doubt", 2)),
    Answered("closed, then 422", _in_turn((Close(),), (says(422),)), Came("in_doubt", 2), park=_PARKED),
    Answered("401", _always(says(401)), Came("pending", stops=True), stops_with="no credential was sent"),
    Answered(
        "403, nothing succeeded before",
        _always(says(403)),
        Came("pending", stops=True),
        first=True,
        stops_with="credential",
    ),
    Answered("403 later", _always(says(403)), Came("rejected")),
    Answered(
        "403 with `Retry-After: 1`, then well",
        _in_turn((says(403, Retry_After="1"),), (GOOD,)),
        _AGAIN,
        after_s=1,
    ),
    Answered(
        "a web page with 200, nothing succeeded before",
        _always(_PAGE),
        Came("pending", stops=True),
        first=True,
        written=_JSON,
        shown="`answers: json`",
        stops_with="`base_url`",
    ),
    Answered("a web page with 200 later", _always(_PAGE), _PARKED, written=_JSON, shown="`answers: json`"),
    Answered("a web page with 200, where nobody said what answers are", _always(_PAGE), _DONE),
    Answered(
        "a redirect: never followed",
        _always(_ELSEWHERE),
        Came("pending", stops=True),
        stops_with="http://127.0.0.1:1/elsewhere",
    ),
)


@dataclass(frozen=True)
class Cell:
    """One run of the matrix: what the server does in it, and what must come of it."""

    name: str
    does: Does
    came: Came
    batched: bool
    policy: str
    unread: bool = False
    first: bool = False
    after_s: float = 0.0
    written: Mapping[str, Any] = field(default_factory=dict)
    stops_with: str = ""


def cells() -> Iterator[Cell]:
    """Every cell of both tables, for one record a request and for batches, under both policies."""
    for batched in (False, True):
        for fault in FAULTS:
            yield from _fault_cells(fault, batched=batched)
        for row in ANSWERS:
            yield from _answer_cells(row, batched=batched)


def _fault_cells(fault: Fault, *, batched: bool) -> Iterator[Cell]:
    tries = [
        ("once", _in_turn(fault.steps, (GOOD,)), fault.once),
        ("each time", _in_turn(fault.steps), fault.each),
    ]
    tries += [
        (f"also {at}", _in_turn(steps), fault.each) for at, steps in enumerate(() if batched else fault.also)
    ]
    # Parked, it makes no difference how often it happens; not parked, it is as under `resend`.
    parks = fault.park is not None
    for policy in ("resend", "park") if parks or not batched else ("resend",):
        for often, does, came in tries[1:] if policy == "park" else tries:
            yield Cell(
                f"{fault.what}, {often}, {_shape(batched=batched)}, {policy}",
                does,
                (fault.park if policy == "park" else None) or came,
                batched,
                policy,
                unread=fault.unread,
                written=fault.written,
            )


def _answer_cells(row: Answered, *, batched: bool) -> Iterator[Cell]:
    said = f" ({row.shown})" if row.shown else ""
    ways = [("", row.does)]
    ways += [(f", also {at}", _in_turn(steps)) for at, steps in enumerate(() if batched else row.also)]
    # Where `park` is to make no difference, it is enough to see that with one record a request.
    for policy in ("resend",) if batched and row.park is None else ("resend", "park"):
        came = (row.many if batched else None) or row.one
        came = (row.park if policy == "park" else None) or came
        for more, does in ways:
            yield Cell(
                f"{row.what}{said}{more}, {_shape(batched=batched)}, {policy}",
                does,
                came,
                batched,
                policy,
                first=row.first,
                after_s=row.after_s if came.requests > 1 else 0.0,
                written=row.written,
                stops_with=row.stops_with,
            )


def _shape(*, batched: bool) -> str:
    return "batch" if batched else "one"


def faults_table() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of the first table, as the page shows them."""
    heads = ("what happens", "once, then well", "at each attempt", "under `park`")
    rows = [
        (one.what, one.once.words(), one.each.words(), one.park.words() if one.park else "") for one in FAULTS
    ]
    return heads, rows


def answers_table() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of the second table."""
    heads = ("what the server says", "with", "one record a request", "a batch of three", "under `park`")
    rows = [
        (
            row.what,
            row.shown,
            row.one.words(),
            row.many.words() if row.many else "",
            row.park.words() if row.park else "",
        )
        for row in ANSWERS
    ]
    return heads, rows


def troubles_table() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of the third table."""
    return ("what happens here", "what comes of it", "exit code"), [
        (one.what, one.comes, str(one.code)) for one in TROUBLES.values()
    ]
