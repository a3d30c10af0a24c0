"""The quota that is left is read from answers and kept to before the first 429."""

from __future__ import annotations

import pytest
from tests.core.delivery.simulated import WALL, FixedWindow, answer, carry

from haulier.delivery.pacing import Pace, Pacing
from haulier.delivery.quota import Quota, QuotaReader
from haulier.model.request import Header, Response

IMAGGA = {
    "limit": "monthly-limit",
    "remaining": "monthly-limit-remaining",
    "reset_epoch": "monthly-limit-reset",
}
DATE = ("date", "Wed, 21 Oct 2026 07:28:00 GMT")
AT_DATE = 1792567680

READ: dict[str, tuple[list[Header], list[Quota]]] = {
    "nothing": ([("content-type", "text/plain")], []),
    "three headers": (
        [("ratelimit-limit", "100"), ("ratelimit-remaining", "50"), ("ratelimit-reset", "30")],
        [Quota("ratelimit-remaining", 50, 100, 30, None)],
    ),
    "three headers and a policy": (
        [
            ("ratelimit-limit", "10"),
            ("ratelimit-policy", "10;w=1, 50;w=60"),
            ("ratelimit-remaining", "9"),
            ("ratelimit-reset", "1"),
        ],
        [Quota("ratelimit-remaining", 9, 10, 1, 1)],
    ),
    "a limit with its window": (
        [("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "9"), ("ratelimit-reset", "1")],
        [Quota("ratelimit-remaining", 9, 100, 1, 60)],
    ),
    "structured": (
        [
            ("ratelimit", '"burst";r=5;t=7, "day";r=900;t=3600'),
            ("ratelimit-policy", '"burst";q=10;w=10, "day";q=1000;w=86400;pk=:YWJj:'),
        ],
        [Quota("ratelimit burst", 5, 10, 7, 10), Quota("ratelimit day", 900, 1000, 3600, 86400)],
    ),
    "structured, of bytes": (
        [("ratelimit", '"size";r=5;t=7'), ("ratelimit-policy", '"size";q=10;w=10;qu="content-bytes"')],
        [],
    ),
    "structured, an older way": (
        [("ratelimit", "limit=100, remaining=50, reset=5")],
        [Quota("ratelimit", 50, 100, 5, None)],
    ),
    "a policy alone": (
        [("ratelimit-policy", '"default";q=100;w=10')],
        [Quota("ratelimit default", None, 100, None, 10)],
    ),
    "x, seconds": (
        [("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "59"), ("x-ratelimit-reset", "12")],
        [Quota("x-ratelimit-remaining", 59, 60, 12, None)],
    ),
    "x, a point in time by the server's clock": (
        [DATE, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", str(AT_DATE + 40))],
        [Quota("x-ratelimit-remaining", 0, None, 40, None)],
    ),
    "x, a point in time by our clock": (
        [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", str(int(WALL) + 7))],
        [Quota("x-ratelimit-remaining", 0, None, 7, None)],
    ),
    "x, in milliseconds": (
        [DATE, ("x-rate-limit-remaining", "1"), ("x-rate-limit-reset", str(AT_DATE * 1000 + 1500))],
        [Quota("x-rate-limit-remaining", 1, None, 1.5, None)],
    ),
    "x, a date": (
        [DATE, ("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "Wed, 21 Oct 2026 07:28:09 GMT")],
        [Quota("x-ratelimit-remaining", 3, None, 9, None)],
    ),
    "the connector's own": (
        [
            DATE,
            ("monthly-limit", "1000"),
            ("monthly-limit-remaining", "12"),
            ("monthly-limit-reset", str(AT_DATE + 86400)),
        ],
        [Quota("monthly-limit-remaining", 12, 1000, 86400, None)],
    ),
    "nonsense": (
        [
            ("ratelimit", '";;;=\x00"'),
            ("x-ratelimit-remaining", "-1"),
            ("x-ratelimit-limit", "1e99"),
            ("x-ratelimit-reset", "soon"),
            ("date", "yesterday"),
        ],
        [Quota("x-ratelimit-remaining", None, None, None, None)],
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_headers_are_read(kind: str) -> None:
    headers, quotas = READ[kind]
    assert list(QuotaReader(IMAGGA)(Response(status=200, headers=tuple(headers)), WALL)) == quotas


def three(limit: int, left: int, reset_s: float) -> tuple[Header, ...]:
    """Whole seconds, rounded up, as most services tell them."""
    return (
        ("ratelimit-limit", str(limit)),
        ("ratelimit-remaining", str(left)),
        ("ratelimit-reset", str(int(-(-reset_s // 1)))),
    )


def three_rounded_down(limit: int, left: int, reset_s: float) -> tuple[Header, ...]:
    return (*three(limit, left, 0)[:2], ("ratelimit-reset", str(int(reset_s))))


def structured(limit: int, left: int, reset_s: float) -> tuple[Header, ...]:
    return (
        ("ratelimit", f'"a";r={left};t={int(-(-reset_s // 1))}'),
        ("ratelimit-policy", f'"a";q={limit};w=1'),
    )


@pytest.mark.parametrize("begins_s", [0.0, 0.37, 0.9])
@pytest.mark.parametrize("latency_s", [0.002, 0.02, 0.1])
@pytest.mark.parametrize("tell", [three, three_rounded_down, structured])
def test_told_by_headers_it_loses_five_percent_at_most_and_none_is_refused(
    tell: object, latency_s: float, begins_s: float
) -> None:
    service = FixedWindow(50, begins_s=begins_s, tell=tell)  # type: ignore[arg-type]
    done = carry(service, 1000, Pace(most_in_flight=100, wall_s=WALL), latency_s=latency_s)
    assert dict(done.statuses) == {200: 1000}
    assert done.seconds <= 1.05 * 20


def test_what_is_left_of_a_minute_is_spread_over_it() -> None:
    done = carry(FixedWindow(60, 60.0, tell=three), 200, Pace(most_in_flight=100, told=False))
    assert dict(done.statuses) == {200: 200}
    assert done.seconds <= 60 * 3.5
    in_some_second = max(sum(at <= other < at + 1 for other in done.starts) for at in done.starts[5:])
    assert in_some_second <= 3


def test_another_client_of_the_same_quota_is_left_room() -> None:
    """What others use shows in what remains; the pace follows."""
    service = FixedWindow(100, 10.0, begins_s=0.0, tell=three)

    def shared(now: float) -> Response:
        service(now)  # somebody else's request, one for each of ours
        return service(now)

    done = carry(shared, 200, Pace(most_in_flight=100))
    assert done.statuses[200] == 200
    assert done.statuses[429] <= 10


MONTH = 20 * 86400


def month(left: int) -> Response:
    return answer(
        200,
        ("monthly-limit", "1000"),
        ("monthly-limit-remaining", str(left)),
        ("monthly-limit-reset", str(int(WALL) + MONTH)),
    )


def test_a_quota_of_a_month_is_used_as_it_comes_and_stops_the_run_when_it_is_used_up() -> None:
    left = 31

    def service(now: float) -> Response:
        nonlocal left
        left -= 1
        return month(left)

    done = carry(service, 100, Pace(quota_headers=IMAGGA, wall_s=WALL))
    assert dict(done.statuses) == {200: len(done.starts)}
    assert 31 <= len(done.starts) <= 46  # with those in flight when the last one is known to be gone
    assert done.seconds < 2
    assert done.stopped == (
        "the service has no requests left (monthly-limit-remaining: 0) until 2026-10-11 14:13 UTC, which is longer "
        "than `limits.patience_s` (300 s); run again then"
    )


def test_calls_that_a_used_up_quota_does_not_count_go_on() -> None:
    """At 0 from the first answer on, and answered nevertheless: deleting costs nothing at Imagga."""
    done = carry(lambda now: month(0), 100, Pace(quota_headers=IMAGGA, wall_s=WALL))
    assert (dict(done.statuses), done.stopped) == ({200: 100}, "")


def test_the_last_request_of_a_quota_stops_nothing() -> None:
    left = 10

    def service(now: float) -> Response:
        nonlocal left
        left -= 1
        return month(left)

    done = carry(service, 10, Pace(quota_headers=IMAGGA, wall_s=WALL))
    assert (done.statuses[200], done.stopped) == (10, "")


def test_an_empty_quota_of_a_minute_is_waited_for() -> None:
    pacing = Pacing(Pace(patience_s=60))
    pacing.started(0.0)
    pacing.answered(0.0, 1.0, answer(200, ("ratelimit-remaining", "0"), ("ratelimit-reset", "59")))
    assert pacing.wait(2.0) == pytest.approx(58.0)
    assert pacing.hopeless(2.0) == ""
    assert pacing.wait(60.0) <= 0
