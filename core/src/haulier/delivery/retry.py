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
from haulier.model.delivery import Outcomes, Stop, Verdict
from haulier.model.request import Request, Response

__all__ = ["Exhausted", "Flow", "Policy", "Send", "Settle", "Wait", "deliver"]


class Send(msgspec.Struct, frozen=True, gc=False):
    """Make one attempt. number counts from 1; resend: an earlier attempt may have reached the server."""

    number: int
    resend: bool


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Come back after `seconds`; asked: the service asked for them (the whole run slows down).

    resend: an attempt so far may have been carried out. failed: the attempt before it may be a sign of a bad night.
    """

    seconds: float
    asked: bool
    reason: str
    resend: bool = False
    failed: bool = True


class Settle(msgspec.Struct, frozen=True, gc=False):
    """The delivery is done with this verdict, after `attempts` tries."""

    verdict: Verdict | Outcomes | Stop
    attempts: int
    response: Response | None


class Exhausted(msgspec.Struct, frozen=True, gc=False):
    """All attempts were spent. answered: the last one was refused (408, 429, 5xx); else nobody knows whether it was.

    spoken: the answer spoke of each record, and wants every one of them again. parked: nothing is repeated that may
    have arrived, so this was the last attempt. conflict: the last answer was 409 to a repeated request, as a service
    says it that has taken an earlier attempt: nothing is wrong with it.
    """

    reason: str
    answered: bool
    resend: bool
    attempts: int
    response: Response | None
    spoken: bool = False
    parked: bool = False
    conflict: bool = False


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
    spent: int = 0,
    first: Response | TransportError | None = None,
) -> Flow:
    """Carry one request to its verdict. jitter: 0 to 1, random; resend: an earlier run may have sent it.

    spent: attempts that the request it is a part of has used up; then it begins with a wait. first: what came of the
    first attempt, where it was made already.
    """
    attempt, renewals, renewed = spent, 0, False
    if spent:
        yield Wait(_backoff(policy, spent, jitter), False, "the service asked for these records again")
    while True:
        attempt += 1
        answer = _as_far_as_needed(first or (yield Send(attempt, resend)), judging)
        first = None
        response = answer if isinstance(answer, Response) else None
        if isinstance(answer, Response):
            verdict = judging(request, answer, resend=resend, history=history)
            came = _of_verdict(verdict, answer, policy, history, resend)
        else:
            assert isinstance(answer, TransportError)
            came = _of_no_answer(answer, policy, resend)
            if answer.renewed and renewed:
                came = Stop(f"the service answered 401: {judging.unaccepted}")
        if not isinstance(came, _Again):
            yield Settle(came, attempt - spent, response)
            return
        resend, renewed = came.resend, came.renewed
        renewals += renewed
        if came.parked or attempt - renewals >= policy.attempts:
            yield came.exhausted(attempt - spent, response)
            return
        wait_s = 0.0 if renewed else came.asked_s or _backoff(policy, attempt - renewals, jitter)
        yield Wait(wait_s, came.asked_s > 0, came.reason, resend, not (came.conflict or renewed))


class _Again(msgspec.Struct, frozen=True, gc=False):
    """The request goes out again, if there are attempts left and it may be repeated.

    asked_s: the wait that the service asked for, or 0. renewed: with another token, which is no attempt of its own.
    All others as in Exhausted.
    """

    reason: str
    answered: bool
    resend: bool
    asked_s: float = 0.0
    spoken: bool = False
    parked: bool = False
    conflict: bool = False
    renewed: bool = False

    def exhausted(self, attempts: int, response: Response | None) -> Exhausted:
        """That there are no attempts left, after so many; response: to the last one."""
        return Exhausted(
            self.reason,
            self.answered,
            self.resend,
            attempts,
            response,
            spoken=self.spoken,
            parked=self.parked,
            conflict=self.conflict,
        )


def _of_verdict(
    verdict: Verdict | Outcomes | Stop, answer: Response, policy: Policy, history: History, resend: bool
) -> _Again | Verdict | Outcomes | Stop:
    """What follows of an answer that was judged so. resend: an attempt before it may have reached the server."""
    if (again := _all_again(verdict, history)) is not None:
        return _Again(again, True, resend, spoken=True)
    if not isinstance(verdict, Verdict) or verdict.kind != "retry":
        return verdict
    status = answer.status
    conflict = resend and status == 409  # maybe with itself
    return _Again(
        verdict.reason,
        not conflict,
        resend or status == 408 or status >= 500,
        max(verdict.wait_s or 0.0, 0.0),  # `Retry-After: 0` is no leave to hammer
        parked=policy.park and status in _UNANSWERED,
        conflict=conflict,
    )


def _of_no_answer(error: TransportError, policy: Policy, resend: bool) -> _Again | Verdict:
    """What follows of an attempt without an answer. resend: one before it may have reached the server."""
    if _is_taken(error):
        return Verdict("unknown", str(error))
    if policy.park and error.sent == "maybe":
        return _Again(f"no answer: {error}", False, True, parked=True)
    return _Again(str(error), False, resend or error.sent == "maybe", renewed=error.renewed)


def _all_again(verdict: Verdict | Outcomes | Stop, history: History) -> str | None:
    """Why every record of the request goes out again, the service having spoken of each; None where they do not.

    Before the first success no refusal counts: records that were refused stay with those that it wants again.
    """
    if not isinstance(verdict, Outcomes):
        return None
    kinds = {one.kind for one in verdict.verdicts}
    if kinds != {"retry"} and (history.succeeded or kinds != {"retry", "rejected"}):
        return None
    return next(one.reason for one in verdict.verdicts if one.kind == "retry")


def _as_far_as_needed(
    answer: Response | TransportError | None, judging: Judging
) -> Response | TransportError | None:
    """An answer whose body broke off as its status alone, where nobody needs the body."""
    if not isinstance(answer, TransportError) or answer.status is None:
        return answer
    needed = judging.needs_body if _is_taken(answer) else judging.reads_body
    return answer if needed else Response(status=answer.status)


def _is_taken(error: TransportError) -> bool:
    """Whether a 2xx arrived, and only its body broke off: what it came to is not known."""
    return error.status is not None and 200 <= error.status < 300


def _backoff(policy: Policy, attempt: int, jitter: Callable[[], float]) -> float:
    return min(policy.cap_s, policy.base_s * 2.0 ** (attempt - 1)) * jitter()
