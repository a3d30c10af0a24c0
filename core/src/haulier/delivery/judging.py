"""What an answer means for the records of its request: the default rules, a template's own, a destination's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from haulier.delivery.dates import moment_of
from haulier.delivery.outcomes import holds, items_of, map_outcomes, text_at
from haulier.delivery.unfound import no_key, no_list, unmet
from haulier.model.answers import Condition, OutcomeMapping
from haulier.model.delivery import ACCEPTED, DELIVERED, Judge, Outcomes, Stop, Verdict
from haulier.model.files import is_file, media_type_of
from haulier.model.json_value import decoded, members
from haulier.model.pointer import look_up
from haulier.model.request import Request, Response
from haulier.model.wording import clause

__all__ = ["History", "Judging", "retry_after"]

_RETRY = frozenset({408, 425, 429, *range(500, 600)}) - {501}
_FORBIDDEN_IN_A_ROW = 5
_NEEDS_NO_REASON = frozenset({"delivered", "accepted"})
# What stands for all that is longer: https://www.rfc-editor.org/rfc/rfc9111#section-1.2.2
_LONGEST_S = 2.0**31
_OF_THE_ADDRESS = frozenset({404, 405, 410, 501})


class History(msgspec.Struct, gc=False):
    """What a judge may know of the run so far: deliveries that succeeded, and 403s since the last other answer."""

    succeeded: int = 0
    forbidden: int = 0


class Judging(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The rules of one destination. verdicts: status -> verdict, the destination's before the template's.

    unaccepted: what a 401 comes to, and the way out. key: attribute that names a record; outcomes: where an answer
    speaks of each. container: whether a refused request may be split; all_or_nothing: whether one bad
    record makes the service refuse all with 400 or 422. remaining: names of headers that say how much of a quota is
    left, in lower case. wall_s: the clock here, as in `retry_after`. body_kept: whether an output keeps what answers
    say. fixed_address: whether all records go to one address, so that a 404 hardly speaks of one of them. answers_file:
    a success is a file.
    """

    verdicts: Mapping[int, str] = {}
    judge: Judge | None = None
    answers_json: bool = False
    answers_file: bool = False
    ticket: str = ""
    success_when: Condition | None = None
    reason_at: str | None = None
    outcomes: OutcomeMapping | None = None
    key: str | None = None
    unaccepted: str = "it does not accept the credential"
    container: bool = False
    all_or_nothing: bool = False
    body_kept: bool = False
    fixed_address: bool = False
    remaining: tuple[str, ...] = ("ratelimit-remaining", "x-ratelimit-remaining")
    wall_s: Callable[[], float] | None = None

    @property
    def reads_body(self) -> bool:
        """Whether a verdict can depend on the body of an answer."""
        looks = self.judge or self.answers_json or self.ticket or self.success_when or self.outcomes
        return bool(looks)

    @property
    def needs_body(self) -> bool:
        """Whether the body of an answer is of use to anybody: it decides, or an output keeps it."""
        return self.body_kept or self.reads_body

    @property
    def takes_any_200(self) -> bool:
        """Whether a 200 alone says that everything was delivered."""
        return not (self.verdicts or self.reads_body or self.answers_file)

    def __call__(
        self, request: Request, response: Response, *, resend: bool, history: History
    ) -> Verdict | Outcomes | Stop:
        """The verdict on an answer. `resend`: an earlier attempt may have reached the server."""
        status = response.status
        if status == 200 and self.takes_any_200:
            return DELIVERED
        written = self.verdicts.get(status)
        if written is not None:
            return self._written(written, request, response)
        verdict = self.judge(request, response) if self.judge is not None else None
        if verdict is not None:
            return self._with_reason(verdict, response)
        if (
            self.outcomes is not None
            and (spoken := self._spoken(self.outcomes, request, response)) is not None
        ):
            return spoken
        if 200 <= status < 300:
            return self._success(response, history)
        return self._no_success(request, response, resend=resend, history=history)

    def _with_reason(
        self, verdict: Verdict | Outcomes | Stop, response: Response
    ) -> Verdict | Outcomes | Stop:
        """What a judge said; where it does not say why a record is not taken, the answer does."""
        if isinstance(verdict, Outcomes):
            told = [self._with_reason(one, response) for one in verdict.verdicts]
            return Outcomes([one for one in told if isinstance(one, Verdict)])
        if isinstance(verdict, Stop) or verdict.reason or verdict.kind in _NEEDS_NO_REASON:
            return verdict
        return msgspec.structs.replace(verdict, reason=f"the service answered {self._told(response)}")

    def _spoken(self, mapping: OutcomeMapping, request: Request, response: Response) -> Outcomes | None:
        count = len(request.positions)
        verdicts = map_outcomes(mapping, response, count, lambda: _keys(request.records, self.key))
        return Outcomes(verdicts) if verdicts is not None else None

    def items(self, request: Request, response: Response) -> list[Any] | None:
        """What an answer says of each record; None where it says one thing of all of them."""
        if self.outcomes is None:
            return None
        count = len(request.positions)
        return items_of(self.outcomes, response, count, lambda: _keys(request.records, self.key))

    def _written(self, kind: str, request: Request, response: Response) -> Verdict | Stop:
        if kind == "stop":
            return Stop(f"the service answered {_quote(response)}, and `verdicts` says to stop then")
        if kind == "delivered":
            return DELIVERED
        split = kind == "rejected" and self.all_or_nothing and self._is_batch(request)
        told = f"the service answered {self._told(response)}"
        return Verdict(kind, told, self._wait_s(response), split=split)  # type: ignore[arg-type]

    def _success(self, response: Response, history: History) -> Verdict | Stop:
        if self.answers_json and _is_html(response):
            return _web_page(response, history)
        if self.answers_file and not is_file(response):
            what = (media_type_of(response) or "something") if response.body else "nothing"
            return Verdict("unknown", f"answered {response.status} with {what} where a file was expected")
        if self.success_when is not None and (held := holds(self.success_when, response)) is not True:
            told = f"the service answered {self._told(response)}"
            if held is None:
                return Verdict("unknown", f"{told}, where JSON was to say what it came to")
            return Verdict("rejected", told + unmet(self.success_when, response))
        return self._taken(response)

    def _taken(self, response: Response) -> Verdict:
        """What a success comes to: the end of it, a job that goes on, or nothing that is understood."""
        if self.ticket:
            ticket = look_up(response.body, self.ticket)
            if response.status == 202 or (isinstance(ticket, str) and ticket):
                return Verdict("accepted", ticket=ticket) if isinstance(ticket, str) else ACCEPTED
        if self.outcomes is not None and (lacking := no_list(self.outcomes, response)):
            return Verdict("unknown", lacking)
        return DELIVERED

    def _no_success(
        self, request: Request, response: Response, *, resend: bool, history: History
    ) -> Verdict | Stop:
        if response.status in _RETRY:
            return Verdict("retry", f"the service answered {self._told(response)}", self._wait_s(response))
        if response.status < 400:
            return _redirected(response)
        return self._refused(request, response, resend=resend, history=history)

    def _told(self, response: Response) -> str:
        """The status and what the service says of it."""
        reason = text_at(self.reason_at, response) if self.reason_at is not None else ""
        return f"{response.status}: {clause(reason)}" if reason else _quote(response)

    def _refused(
        self, request: Request, response: Response, *, resend: bool, history: History
    ) -> Verdict | Stop:
        status, told = response.status, self._told(response)
        if status == 401:
            return Stop(f"the service answered {told}: {self.unaccepted}")
        if status == 403:
            wait_s = self._wait_s(response)
            if wait_s is not None or self._is_used_up(response):
                return Verdict("retry", f"the service answered {told}", wait_s)
            if not history.succeeded or history.forbidden + 1 >= _FORBIDDEN_IN_A_ROW:
                return Stop(
                    f"the service answered {told}: the credential may not do this, or a quota is used up"
                )
        if resend and status == 409:
            return Verdict("retry", f"the service answered {told} to a repeated request")
        if resend and status == 422:
            return Verdict("unknown", f"the service answered {told} to a repeated request")
        together = status == 413 or (self.all_or_nothing and status in (400, 422))
        general = status == 403 or (self.fixed_address and status in _OF_THE_ADDRESS)
        split = together and self._is_batch(request)
        return Verdict("rejected", f"the service answered {told}", split=split, general=general)

    def _wait_s(self, response: Response) -> float | None:
        return retry_after(response, self.wall_s)

    def _is_batch(self, request: Request) -> bool:
        return self.container and len(request.positions) > 1

    def _is_used_up(self, response: Response) -> bool:
        return any((response.header(name) or "").strip() == "0" for name in self.remaining)


def _keys(records: Sequence[bytes], key: str | None) -> list[Any]:
    """The value of each record's key, its NoKey where it has none."""
    return [_key(members(record), key) for record in records]


def _key(record: Mapping[str, msgspec.Raw], key: str | None) -> Any:
    value = decoded(record[key]) if key is not None and key in record else None
    return value if value is not None else no_key(record, key)


def retry_after(response: Response, wall_s: Callable[[], float] | None = None) -> float | None:
    """Seconds the service asks to be left alone, 0 to 2^31; None where it does not say or not understandably.

    Both forms are read (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3); a date counts from the server's own
    `Date`, so that a clock that differs does no harm, and where it sends none from `wall_s`, which says the seconds
    since 1970; without either a date says nothing.
    """
    text = response.header("retry-after")
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_S)
    moment = moment_of(text)
    now = moment_of(response.header("date"))
    if now is None and wall_s is not None:  # a server without a clock sends no `Date`
        now = wall_s()
    return None if moment is None or now is None else min(max(0.0, moment - now), _LONGEST_S)


def _redirected(response: Response) -> Stop:
    place = response.header("location") or "nowhere it names"
    return Stop(
        f"the service answered {response.status} and points to {place[:200]}: redirects are never followed; "
        "write the final address as `base_url` or `request.url`"
    )


def _web_page(response: Response, history: History) -> Verdict | Stop:
    told = f"answered {response.status} with a web page where JSON was expected"
    if history.succeeded:
        return Verdict("unknown", told, general=True)
    return Stop(
        f"the service {told}: look at the URL (`base_url`, `request.url`), a login page or proxy may have answered"
    )


def _is_html(response: Response) -> bool:
    media = (response.header("content-type") or "").lower()
    return "html" in media or response.body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _quote(response: Response) -> str:
    """The status and the beginning of the answer, as reasons quote it."""
    text = " ".join(response.body[:300].decode("utf-8", "replace").split())
    return f"{response.status}: {clause(text[:200])}" if text else f"{response.status}"
