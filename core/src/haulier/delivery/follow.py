"""Following a job as a generator: it yields what it wants and is sent what came of it, as `retry` does.

flow = follow(request, judging, policy, since=clock())
wish = flow.send(None)                  # Ask, Pause or End
wish = flow.send((clock(), answer))     # after an Ask: a Response or a TransportError
wish = flow.send((clock(), None))       # after a Pause
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal, TypeAlias

import msgspec

from haulier.delivery.judging import History, Judging
from haulier.errors import TransportError
from haulier.model.delivery import Outcomes, Stop, Verdict
from haulier.model.pointer import look_up
from haulier.model.request import Request, Response

__all__ = ["Ask", "End", "Patience", "Pause", "Questions", "follow"]

# Nobody knows what became of the answer to these: a proxy may have dropped it.
_DROPPED = frozenset({408, 500, 502, 504})
_FACTOR = 2.0


class Patience(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """first_s, most_s: shortest and longest pause between two questions, doubled each time; timeout_s: for all of it.

    final: pointer to what is true in an answer that is the last. once: that one is given once only.
    """

    final: str
    once: bool
    first_s: float
    most_s: float
    timeout_s: float


class Ask(msgspec.Struct, frozen=True, gc=False):
    """Ask the service once; number counts from 1."""

    number: int


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Come back after so many seconds. told: the last answer arrived, and was not the final one."""

    seconds: float
    told: bool


class End(msgspec.Struct, frozen=True, gc=False):
    """The questions are at their end. delivered: `response` is the final answer; rejected: the job failed; in_doubt:
    its result cannot be had any more, or nobody knows; left: ask again later; stop: ask for nothing more of this run.
    """

    kind: Literal["delivered", "rejected", "in_doubt", "left", "stop"]
    reason: str = ""
    response: Response | None = None


Questions: TypeAlias = Generator[
    Ask | Pause | End, "tuple[float, Response | TransportError | None] | None", None
]


def follow(request: Request, judging: Judging, patience: Patience, *, since: float) -> Questions:
    """Ask until the job is at its end. since: the clock's time at the beginning, in seconds."""
    number, pause_s = 0, patience.first_s
    while True:
        number += 1
        reply = yield Ask(number)
        assert reply is not None
        now, answer = reply
        assert answer is not None
        said = _read(request, answer, judging, patience)
        if isinstance(said, End):
            yield said
            return
        pause_s = min(patience.most_s, said.seconds or pause_s)
        if now + pause_s > since + patience.timeout_s:
            yield End("left", f"not at its end after {patience.timeout_s:,.0f} s")
            return
        yield Pause(pause_s, said.told)
        pause_s *= _FACTOR


def _read(
    request: Request, answer: Response | TransportError, judging: Judging, patience: Patience
) -> Pause | End:
    """What an answer to one question means; a pause of 0 s is the usual one."""
    if isinstance(answer, TransportError):
        if patience.once and answer.sent == "maybe":
            return _lost(str(answer))
        return Pause(0.0, False)
    if patience.once and answer.status in _DROPPED:
        return _lost(f"the service answered {answer.status}")
    verdict = judging(request, answer, resend=False, history=History(succeeded=1))
    if isinstance(verdict, Stop):
        return End("stop", verdict.reason)
    assert not isinstance(verdict, Outcomes)
    if verdict.kind == "retry":
        return Pause(verdict.wait_s or 0.0, True)
    return _ended(verdict, answer, patience)


def _ended(verdict: Verdict, answer: Response, patience: Patience) -> Pause | End:
    if verdict.kind in ("delivered", "accepted"):
        if look_up(answer.body, patience.final) is True:
            return End("delivered", response=answer)
        return Pause(0.0, True)
    if verdict.kind == "rejected" and 200 <= answer.status < 300:
        return End("rejected", verdict.reason, answer)
    return End("in_doubt", f"the result of the job cannot be had: {verdict.reason}", answer)


def _lost(why: str) -> End:
    """The answer may have been the final one, which is given once: asking again would hide that it is gone."""
    return End("in_doubt", f"the answer that may have held the result of the job was lost: {why}")
