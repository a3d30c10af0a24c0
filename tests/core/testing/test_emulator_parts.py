"""The kit's parts by themselves: no network, no sleep."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from haulier.testing.emulator import (
    BasicAuth,
    Clock,
    EmulatorError,
    Fault,
    FaultPlan,
    Limits,
    RequestLog,
    parse_faults,
)
from haulier.testing.emulator.log import count_parts


def test_a_virtual_clock_moves_only_when_told() -> None:
    clock = Clock.virtual(datetime(2026, 1, 31, tzinfo=UTC))
    assert clock.now() == clock.now() == 1769817600.0
    assert clock.advance(86_400) == clock.now() == 1769904000.0
    assert clock.set(5) == clock.now() == 5.0


def test_a_system_clock_runs_on_from_where_it_was_set() -> None:
    clock = Clock()
    clock.set(1000.0)
    assert 1000.0 <= clock.now() < 1060.0
    clock.advance(3600)
    assert 4600.0 <= clock.now() < 4660.0


def test_a_clock_refuses_to_advance_backwards_and_times_without_a_zone() -> None:
    clock = Clock.virtual()
    with pytest.raises(EmulatorError, match=r"-1 seconds; use set\(\)"):
        clock.advance(-1)
    with pytest.raises(EmulatorError, match="2026-01-01T00:00:00 has no time zone"):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


def test_requests_per_second_hold_for_any_stretch_of_a_second() -> None:
    limits = Limits(requests_per_second=2)
    times = [0.0, 0.9, 0.95, 1.0, 1.5, 2.0]
    reasons = [limits.admit(at, in_flight=1) for at in times]
    refused = "more than 2 requests per second"
    assert reasons == [None, None, refused, None, refused, None]


def test_a_rate_below_one_admits_one_request_in_that_many_seconds() -> None:
    limits = Limits(requests_per_second=0.5)
    assert [limits.admit(at, 1) is None for at in (0.0, 1.0, 1.99, 2.0)] == [True, False, False, True]


def test_a_clock_that_was_set_back_does_not_lock_the_limit() -> None:
    limits = Limits(requests_per_second=1)
    assert limits.admit(1000.0, 1) is None
    assert limits.admit(5.0, 1) is None


def test_requests_in_flight_are_refused_above_the_limit() -> None:
    limits = Limits(max_in_flight=2)
    assert limits.admit(0.0, 2) is None
    assert limits.admit(0.0, 3) == "more than 2 requests in flight"


@pytest.mark.parametrize("wrong", [{"requests_per_second": 0}, {"max_in_flight": -1}, {"retry_after_s": -1}])
def test_a_limit_that_admits_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(EmulatorError, match=next(iter(wrong))):
        Limits(**wrong)


def met(
    plan: FaultPlan, count: int, method: str = "GET", path: str = "/a", body: bytes = b""
) -> list[int | None]:
    """The status each of `count` requests is given, None where none is."""
    taken = [plan.take(method, path, body) for _ in range(count)]
    return [fault.status if fault else None for fault in taken]


def test_faults_that_name_nothing_are_used_up_in_order() -> None:
    plan = FaultPlan([Fault(status=503), Fault.passing(), Fault(status=500, count=2)])
    assert met(plan, 5) == [503, None, 500, 500, None]


def test_a_fault_waits_for_its_nth_request_and_then_takes_each_nth() -> None:
    assert met(FaultPlan([Fault(status=503, nth=2, every=3, count=None)]), 9) == [
        *(None, 503, None),
        *(None, 503, None),
        *(None, 503, None),
    ]


def test_a_fault_meets_its_method_path_and_body_only() -> None:
    plan = FaultPlan([Fault(status=500, method="post", path="/v2/*/x", body_contains="bad", count=None)])
    assert met(plan, 1, "GET", "/v2/1/x", b"bad") == [None]
    assert met(plan, 1, "POST", "/v2/1/y", b"bad") == [None]
    assert met(plan, 1, "POST", "/v2/1/x", b"good") == [None]
    assert met(plan, 1, "POST", "/v2/1/x", b"a bad one") == [500]


def test_what_is_left_of_a_plan_can_be_read_and_forgotten() -> None:
    plan = FaultPlan([Fault(status=500, count=3), Fault(status=503, count=None)])
    met(plan, 2)
    assert plan.left() == [Fault(status=500, count=1), Fault(status=503, count=None)]
    plan.clear()
    assert plan.left() == []


def test_faults_are_read_from_json_and_from_a_file(tmp_path: Path) -> None:
    text = '[{"status": 503, "headers": {"Retry-After": "1"}}, {"drop": "partial", "count": null}]'
    expected = [Fault(status=503, headers={"Retry-After": "1"}), Fault(drop="partial", count=None)]
    (tmp_path / "faults.json").write_text(text)
    assert parse_faults(text) == parse_faults(f"@{tmp_path / 'faults.json'}") == expected
    assert parse_faults('{"delay_s": 1.5}') == [Fault(delay_s=1.5)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nonsense", "malformed"),
        ('{"stauts": 500}', "stauts"),
        ('{"status": 99}', "status must be 200 to 599, not 99"),
        ('{"body": "x"}', "need a status"),
        ('{"nth": 0}', "1 or more"),
        ('{"delay_s": -1}', "delay_s"),
        ('{"drop": "sideways"}', "sideways"),
        ('{"reset": true}', "needs drop"),
        ('{"status": 500, "headers": {"a": "b\\r\\nc: d"}}', "line breaks"),
        ("@/nowhere/faults.json", "No such file"),
    ],
)
def test_a_fault_that_does_not_hold_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(EmulatorError, match=named):
        parse_faults(text)


def basic(user: str, password: str) -> Headers:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Headers({"Authorization": f"Basic {token}"})


def test_basic_auth_knows_its_users_and_nobody_else() -> None:
    auth = BasicAuth({"key": "se:cret", "ключ": "sécret"})
    assert auth.user(basic("key", "se:cret")) == "key"
    assert auth.user(basic("ключ", "sécret")) == "ключ"
    for wrong in (
        basic("key", "wrong"),
        basic("other", ""),
        Headers(),
        Headers({"Authorization": "Basic %%"}),
    ):
        assert auth.user(wrong) is None
    assert auth.user(Headers({"Authorization": "Bearer key"})) is None
    assert "se:cret" not in repr(auth)


def test_parts_of_a_multipart_body_are_counted() -> None:
    body = b"--b\r\n\r\none\r\n--b\r\n\r\n--bogus\r\n--b\r\n\r\n\r\n--b--\r\n"
    assert count_parts('multipart/form-data; boundary="b"', body) == 3
    assert count_parts("multipart/form-data; boundary=b", b"--b--\r\n") == 0
    assert count_parts("multipart/form-data", body) is None
    assert count_parts("application/json", body) is None


def test_a_log_keeps_the_last_requests_and_small_bodies() -> None:
    log = RequestLog(max_entries=2, max_body_bytes=3)
    for body in (b"1", b"22", b"four"):
        log.arrived(at=0.0, method="POST", target="/a?b", headers=[], body=body, user=None)
    assert [(entry.number, entry.body, entry.body_size) for entry in log.entries()] == [
        (2, b"22", 2),
        (3, None, 4),
    ]
    assert log.count == 3
    assert log.entries()[0].path == "/a"


def test_a_request_forgotten_while_it_was_open_stays_forgotten() -> None:
    log = RequestLog()
    first = log.arrived(at=0.0, method="GET", target="/1", headers=[], body=b"", user=None)
    log.clear()
    second = log.arrived(at=0.0, method="GET", target="/2", headers=[], body=b"", user=None)
    log.closed(first, outcome="answered", status=200, took_s=0.0)
    assert log.entries() == [second]


def test_what_is_shown_of_a_request_holds_no_credential() -> None:
    log = RequestLog()
    headers = [("Authorization", "Basic a2V5OnNlY3JldA=="), ("X-Api-Key", "k"), ("Accept", "*/*")]
    shown = log.arrived(at=0.0, method="GET", target="/", headers=headers, body=b"\xff", user="key").shown()
    assert shown["headers"] == [
        ["Authorization", "Basic (hidden)"],
        ["X-Api-Key", "(hidden)"],
        ["Accept", "*/*"],
    ]
    assert shown["body_text"] is None
