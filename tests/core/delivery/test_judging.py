"""What an answer means, from the status alone, from what a destination says of it, and from a template's judge."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.made import made_request

from haulier.delivery.judging import History, Judging, retry_after
from haulier.model.delivery import ACCEPTED, DELIVERED, Stop, Verdict
from haulier.model.request import Request, Response

REQUEST = made_request(method="POST", body=b"{}")
HTML = b"<!DOCTYPE html><html><body>Log in</body></html>"


def respond(status: int, body: bytes = b"", **headers: str) -> Response:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status=status, headers=named, body=body)


def judge(
    response: Response,
    rules: Judging | None = None,
    *,
    resend: bool = False,
    succeeded: int = 1,
    forbidden: int = 0,
) -> Verdict | Stop:
    history = History(succeeded=succeeded, forbidden=forbidden)
    return (rules or Judging())(REQUEST, response, resend=resend, history=history)


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 206, 299])
def test_success_is_delivered(status: int) -> None:
    assert judge(respond(status)) == DELIVERED


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, 520, 599])
def test_what_may_pass_is_retried(status: int) -> None:
    assert judge(respond(status, b"busy")) == Verdict("retry", f"the service answered {status}: busy")


@pytest.mark.parametrize(
    "status", [400, 402, 404, 405, 406, 409, 410, 411, 413, 415, 418, 422, 431, 451, 501]
)
def test_what_will_not_pass_is_rejected(status: int) -> None:
    assert judge(respond(status, b"no")) == Verdict("rejected", f"the service answered {status}: no")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_never_followed_and_names_the_place(status: int) -> None:
    verdict = judge(respond(status, location="https://elsewhere.example/x"))
    assert verdict == Stop(
        f"the service answered {status} and points to https://elsewhere.example/x: redirects are never followed; "
        "write the final address as `base_url` or `request.url`"
    )


def test_a_wrong_credential_stops_at_once_even_after_success() -> None:
    verdict = judge(respond(401, b"bad key."), Judging(unaccepted="who is this"), succeeded=1000)
    assert verdict == Stop("the service answered 401: bad key: who is this")


def test_403_stops_while_nothing_succeeded_and_rejects_one_record_later() -> None:
    assert isinstance(judge(respond(403), succeeded=0), Stop)
    assert judge(respond(403), succeeded=1) == Verdict("rejected", "the service answered 403", general=True)


def test_five_403_in_a_row_stop() -> None:
    assert judge(respond(403), forbidden=3) == Verdict("rejected", "the service answered 403", general=True)
    assert isinstance(judge(respond(403), forbidden=4), Stop)


def test_403_with_retry_after_is_a_rate_limit() -> None:
    assert judge(respond(403, retry_after="7"), succeeded=0) == Verdict(
        "retry", "the service answered 403", 7.0
    )


def test_what_a_repeated_request_finds_done_is_no_rejection() -> None:
    assert judge(respond(409), resend=True) == Verdict(
        "retry", "the service answered 409 to a repeated request"
    )
    assert judge(respond(422), resend=True) == Verdict(
        "unknown", "the service answered 422 to a repeated request"
    )
    assert judge(respond(404), resend=True) == Verdict("rejected", "the service answered 404")


@pytest.mark.parametrize(
    "page",
    [
        respond(200, HTML),
        respond(200, b"\n <HTML>"),
        respond(200, b"x", content_type="text/html;charset=utf-8"),
    ],
)
def test_a_web_page_where_json_was_declared_is_no_success(page: Response) -> None:
    rules = Judging(answers_json=True)
    assert isinstance(judge(page, rules, succeeded=0), Stop)
    later = judge(page, rules, succeeded=1)
    assert later == Verdict("unknown", "answered 200 with a web page where JSON was expected", general=True)


def test_a_web_page_is_a_success_where_any_answer_is() -> None:
    assert judge(respond(200, HTML)) == DELIVERED


def test_a_ticket_means_accepted() -> None:
    rules = Judging(ticket="/result/ticket_id")
    told = respond(200, b'{"result":{"ticket_id":"t-1"}}')
    assert judge(told, rules) == Verdict("accepted", ticket="t-1")
    assert judge(respond(202, b"{}"), rules) == ACCEPTED
    assert judge(respond(200, b'{"result":{"ticket_id":""}}'), rules) == DELIVERED
    assert judge(respond(200, b'{"result":[]}'), rules) == DELIVERED
    assert judge(respond(200, b"no json"), rules) == DELIVERED


@pytest.mark.parametrize("kind", ["delivered", "accepted", "retry", "rejected", "unknown"])
def test_what_a_destination_says_of_a_status_goes_before_everything(kind: str) -> None:
    rules = Judging(verdicts={500: kind}, judge=lambda request, response: Stop("not asked"))
    verdict = judge(respond(500, b"duplicate"), rules)
    assert isinstance(verdict, Verdict)
    assert verdict.kind == kind


def test_a_destination_may_say_stop() -> None:
    verdict = judge(respond(402, b"pay"), Judging(verdicts={402: "stop"}))
    assert verdict == Stop("the service answered 402: pay, and `verdicts` says to stop then")


def test_a_template_judge_goes_before_the_default_rules_and_may_leave_it_to_them() -> None:
    def read(request: Request, response: Response) -> Verdict | None:
        return Verdict("rejected", "error inside") if b"error" in response.body else None

    assert judge(respond(200, b'{"error":1}'), Judging(judge=read)) == Verdict("rejected", "error inside")
    assert judge(respond(200, b"{}"), Judging(judge=read)) == DELIVERED
    assert judge(respond(404), Judging(judge=read)) == Verdict("rejected", "the service answered 404")


def test_reasons_quote_the_answer_in_one_short_line() -> None:
    quoted = ("first second " + "x" * 200)[:200]
    assert judge(respond(400, b"  first\r\nsecond\t" + b"x" * 5000 + b"\xff")) == Verdict(
        "rejected", f"the service answered 400: {quoted}"
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("17", 17.0), (" 5 ", 5.0), ("86400", 86400.0), ("9" * 5000, 2.0**31)]
)
def test_retry_after_in_seconds(text: str, seconds: float) -> None:
    assert retry_after(respond(429, retry_after=text)) == seconds


@given(st.integers(-100_000, 100_000))
def test_retry_after_as_a_date_counts_from_the_clock_of_the_server(seconds: int) -> None:
    now = datetime(1999, 12, 31, 23, 59, tzinfo=UTC)
    dates = [format_datetime(at, usegmt=True) for at in (now, now + timedelta(seconds=seconds))]
    assert retry_after(respond(503, date=dates[0], retry_after=dates[1])) == max(0.0, float(seconds))


@pytest.mark.parametrize("date", [{}, {"date": "no date at all"}])
def test_without_a_date_of_the_answer_the_clock_here_counts(date: dict[str, str]) -> None:
    said = respond(503, retry_after="Fri, 31 Dec 1999 23:59:07 GMT", **date)
    now = datetime(1999, 12, 31, 23, 59, tzinfo=UTC).timestamp()
    assert (retry_after(said, lambda: now), retry_after(said)) == (7.0, None)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_a_date_without_a_zone_is_of_utc_wherever_this_runs(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as here:
        here.setenv("TZ", zone)
        time.tzset()
        said = respond(503, date="Sun, 06 Nov 1994 08:49:37 GMT", retry_after="Sun Nov  6 08:50:37 1994")
        found = retry_after(said)
    time.tzset()
    assert found == 60.0


@given(st.text(max_size=40), st.text(max_size=40) | st.none())
@example("Wed, 21 Oct 99999999999 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT")
@example("Wed, 21 Oct 2015 07:28:00 -0000", "Wed, 21 Oct 2015 07:28:00 GMT")
@example("Wed, 21 Oct 2015 07:28:00 +9999999999", "Wed, 21 Oct 2015 07:28:00 GMT")
@example("Wed, 21 Oct 2015 07:28:00 GMT", None)
@example("9" * 5000, None)
@example("-5", None)
@example("1.5", None)
@example("\u0665", None)
@example("", "")
def test_no_retry_after_a_server_can_write_breaks_the_run(text: str, date: str | None) -> None:
    headers = {"retry_after": text} | ({"date": date} if date is not None else {})
    found = retry_after(respond(503, **headers))
    assert found is None or 0 <= found <= 2.0**31


@given(st.integers(100, 599), st.binary(max_size=30), st.booleans(), st.booleans(), st.booleans())
def test_every_answer_has_a_verdict(status: int, body: bytes, resend: bool, json: bool, ticket: bool) -> None:
    rules = Judging(answers_json=json, ticket="/t" if ticket else "")
    assert isinstance(judge(respond(status, body), rules, resend=resend), Verdict | Stop)
