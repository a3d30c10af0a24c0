"""Retrying as a generator: it yields what it wants and is sent what came of it; the driver does the rest.

flow = deliver(...)
wish = next(flow)              # Send, Wait or Settle
wish = flow.send(response)     # after a Send: a Response or a TransportError; after a Wait: None
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeAlias

import msgspec

from haulier.delivery.judging import History, Judging
from haulier.errors import TransportError
from haulier.model.delivery import Stop, Verdict
from haulier.model.request import Request, Response

__all__ = ["Exhausted", "Flow", "Policy", "Send", "Settle", "Wait", "deliver"]


class Send(msgspec.Struct, frozen=True, gc=False):
    """Make one attempt. number counts from 1; resend: an earlier attempt may have reached the server."""

    number: int
    resend: bool


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Come back after `seconds`; asked: the service asked for them (the whole run slows down)."""

    seconds: float
    asked: bool
    reason: str


class Settle(msgspec.Struct, frozen=True, gc=False):
    """The delivery is done with this verdict, after `attempts` tries."""

    verdict: Verdict | Stop
    attempts: int
    response: Response | None


class Exhausted(msgspec.Struct, frozen=True, gc=False):
    """All attempts were spent. answered: the last one got an answer (408, 429, 5xx); else nobody knows."""

    reason: str
    answered: bool
    resend: bool
    attempts: int
    response: Response | None


Flow: TypeAlias = Generator[Send | Wait | Settle | Exhausted, "Response | TransportError | None", None]


class Policy(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """attempts per delivery; longest first and longest later wait in seconds; park: never repeat the unanswered."""

    attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 30.0
    park: bool = False


_UNANSWERED = frozenset({408, 500, 502, 504})


def deliver(
    request: Request,
    judging: Judging,
    policy: Policy,
    history: History,
    jitter: Callable[[], float],
    *,
    resend: bool = False,
) -> Flow:
    """Carry one request to its verdict. jitter: 0 to 1, random; resend: an earlier run may have sent it."""
    attempt = 0
    while True:
        attempt += 1
        answer = yield Send(attempt, resend)
        wait_s: float | None = None
        if isinstance(answer, Response):
            verdict = judging(request, answer, resend=resend, history=history)
            if not isinstance(verdict, Verdict) or verdict.kind != "retry":
                yield Settle(verdict, attempt, answer)
                return
            reason, wait_s = verdict.reason, verdict.wait_s
            if answer.status == 408 or answer.status >= 500:
                resend = True
            if policy.park and answer.status in _UNANSWERED:
                yield Settle(Verdict("unknown", reason), attempt, answer)
                return
        else:
            assert isinstance(answer, TransportError)
            reason = str(answer)
            if answer.sent == "maybe":
                resend = True
                if policy.park:
                    yield Settle(Verdict("unknown", f"no answer: {reason}"), attempt, None)
                    return
        response = answer if isinstance(answer, Response) else None
        if attempt >= policy.attempts:
            yield Exhausted(reason, response is not None, resend, attempt, response)
            return
        backoff = min(policy.cap_s, policy.base_s * 2.0 ** (attempt - 1)) * jitter()
        asked_s = max(wait_s or 0.0, 0.0)  # `Retry-After: 0` is no leave to hammer
        yield Wait(asked_s or backoff, asked_s > 0, reason)
