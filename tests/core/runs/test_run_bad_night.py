"""A bad night stops the run resumably and dead-letters nobody; a bad record stops only itself."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import audited, counts, destination, records, rows, within, write_records
from tests.core.runs.wire import Answer, Asked, Cut, Stall, Wire, answer
from tests.ports import free_port

import haulier


def id_of(asked: Asked) -> int:
    return int(json.loads(asked.body)["id"])


def send(url: str, carried: Any, **written: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(destination(url, **written), carried, state="state"))


def check_stopped(report: haulier.Report, *, read: int | None = None) -> None:
    """Stopped, resumable, and nobody rejected, in doubt or half sent."""
    assert (report.state, report.exit_code) == ("stopped", 3)
    assert counts(report) == {"pending": report.read}
    if read is not None:
        assert report.read == read


# -- nobody answers as a service should ------------------------------------------------------------------------------

BROKEN: dict[str, Answer] = {
    "closes": Cut(),
    "resets": Cut(reset=True),
    "half a status line": Cut(b"HTTP/1.1 2"),
    "500": answer(500, b"oops"),
    "503": answer(503, b"busy"),
    "429": answer(429, b"slow down"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_server_that_fails_all_the_time_stops_the_run(kind: str) -> None:
    with Wire(lambda asked: BROKEN[kind]) as wire:
        report = send(wire.url, records(100))
        check_stopped(report)
        assert report.attempts == len(wire.asked)
        assert "deliveries in a row spent all their attempts" in report.reason


@pytest.mark.parametrize("kind", ["closes", "503"])
def test_no_more_than_five_deliveries_are_spent_on_it(kind: str) -> None:
    """One request in flight until something succeeds: five deliveries of five attempts."""
    with Wire(lambda asked: BROKEN[kind]) as wire:
        report = send(wire.url, records(500), retry={"base_s": 0.1, "cap_s": 0.1})
        check_stopped(report)
        assert len(wire.asked) <= 25


def test_an_unreachable_host_stops_the_run_and_is_named() -> None:
    port = free_port()
    report = send(f"http://127.0.0.1:{port}", records(100))
    check_stopped(report)
    assert f"127.0.0.1:{port}" in report.reason


def test_a_host_without_a_name_stops_the_run_and_is_named() -> None:
    report = send("http://no-such-host.invalid", records(3))
    check_stopped(report, read=3)
    assert "no-such-host.invalid" in report.reason


def test_a_server_that_stalls_stops_the_run() -> None:
    with Wire(lambda asked: Stall(10)) as wire:
        report = send(wire.url, records(3), timeout_s=0.1, retry={"attempts": 2, "base_s": 0.01})
        check_stopped(report, read=3)


def test_what_nobody_can_trust_gets_nothing() -> None:
    """A TLS name that is not proven, here by a server without TLS."""
    with Wire() as wire:
        report = send(
            wire.url.replace("http:", "https:"),
            records(3),
            timeout_s=0.2,
            retry={"attempts": 2, "base_s": 0.01},
        )
        check_stopped(report, read=3)
        assert wire.asked == []


STOPS: dict[str, tuple[bytes, str]] = {
    "301": (answer(301, b"", Location="https://elsewhere.example/"), "https://elsewhere.example/"),
    "401": (answer(401, b"bad key"), "no credential was sent"),
    "403": (answer(403, b"forbidden"), "credential may not do this"),
    "a web page": (answer(200, b"<!doctype html><p>Log in", media_type="text/html"), "web page"),
}


@pytest.mark.parametrize("kind", STOPS)
def test_what_no_retry_mends_stops_at_once(kind: str) -> None:
    said, word = STOPS[kind]
    with Wire(lambda asked: said) as wire:
        report = send(wire.url, records(100), answers="json")
        check_stopped(report)
        assert len(wire.asked) == report.attempts == 1
        assert word in report.reason


@pytest.mark.parametrize("kind", STOPS)
def test_the_same_call_goes_on_when_it_is_mended(kind: str) -> None:
    said, _ = STOPS[kind]
    write_records(Path("in.jsonl"), 50)
    with Wire(lambda asked: said if asked.number == 0 else answer()) as wire:
        assert send(wire.url, "in.jsonl", answers="json").state == "stopped"
        report = send(wire.url, "in.jsonl", answers="json")
        assert (report.state, counts(report)) == ("finished", {"delivered": 50})
        assert sorted(id_of(asked) for asked in wire.asked[1:]) == list(range(50))
        assert wire.asked[0].header("idempotency-key") == wire.asked[1].header("idempotency-key")


WRITTEN = {"headers": {"Authorization": "Bearer t"}, "override_authorization": True}
GIVEN = {"type": "bearer", "token": "t"}


@pytest.mark.parametrize(
    ("written", "given", "told"),
    [
        (
            {},
            None,
            "no credential was sent: store one with `haulier credential add`, then write `credential: NAME`",
        ),
        ({}, GIVEN, "it does not accept the credential that was given"),
        (WRITTEN, None, "it does not accept the Authorization that `headers` has"),
    ],
)
def test_a_401_says_whose_it_is(written: dict[str, Any], given: dict[str, str] | None, told: str) -> None:
    """A run and a test send alike."""
    with Wire(lambda asked: answer(401, b"bad key")) as wire:
        made = destination(wire.url, **written)
        report = within(60, lambda: haulier.send(made, records(3), credential=given, state="state"))
        check_stopped(report)
        tried = haulier.test_send(made, records(1), credential=given)
    assert report.reason == tried.reason == f"the service answered 401: bad key: {told}"


# -- the first twenty ------------------------------------------------------------------------------------------------


def test_the_first_twenty_refused_stop_the_run_and_reject_nobody() -> None:
    with Wire(lambda asked: answer(400, b"no such field")) as wire:
        report = send(wire.url, records(100))
        check_stopped(report)
        assert len(wire.asked) == 20
        assert "it is a setting rather than the records" in report.reason
        assert rows(Path("state"), "select count(*) from record") == [(0,)]


def test_fewer_than_twenty_refused_are_rejected_at_the_end_of_the_input() -> None:
    with Wire(lambda asked: answer(400, b"no")) as wire:
        report = send(wire.url, records(19), outputs=[{"to": "jsonl", "path": "out.jsonl"}])
        assert (report.state, report.exit_code, counts(report)) == ("finished", 4, {"rejected": 19})
        assert len(wire.asked) == report.attempts == 19
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [(line["positions"], line["state"]) for line in lines] == [([n], "rejected") for n in range(19)]


def test_the_first_success_makes_earlier_refusals_count() -> None:
    with Wire(lambda asked: answer(400, b"no") if id_of(asked) < 19 else answer()) as wire:
        report = send(wire.url, records(40), outputs=[{"to": "jsonl", "path": "out.jsonl"}])
        assert (report.exit_code, counts(report)) == (4, {"delivered": 21, "rejected": 19})
        assert len(wire.asked) == 40
    assert rows(Path("state"), "select position, reason from record order by position") == [
        (number, "the service answered 400: no") for number in range(19)
    ]
    assert len(Path("out.jsonl").read_text().splitlines()) == 40


def test_refused_ones_are_tried_again_when_a_stopped_run_goes_on() -> None:
    write_records(Path("in.jsonl"), 60)
    mended = threading.Event()
    with Wire(lambda asked: answer() if mended.is_set() else answer(400)) as wire:
        assert send(wire.url, "in.jsonl").state == "stopped"
        mended.set()
        report = send(wire.url, "in.jsonl")
        assert counts(report) == {"delivered": 60}
        assert len(wire.asked) == report.attempts == 80


def test_large_bodies_that_are_refused_end_as_small_ones_do() -> None:
    with Wire(lambda asked: answer(400)) as wire:
        carried = [{"id": number, "text": "x" * 3_000_000} for number in range(30)]
        report = within(60, lambda: haulier.send(destination(wire.url), carried, state="state"))
        check_stopped(report)


# -- one bad record among good ones ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 501])
def test_a_refused_record_stops_only_itself(status: int) -> None:
    with Wire(lambda asked: answer(status, b"bad") if id_of(asked) == 7 else answer()) as wire:
        report = send(wire.url, records(50))
    assert (report.exit_code, counts(report)) == (4, {"delivered": 49, "rejected": 1})
    assert rows(Path("state"), "select position, state, reason, text from record") == [
        (7, 4, f"the service answered {status}: bad", b'{"id":7}')
    ]


def test_what_fails_for_a_while_is_delivered_later_with_the_same_bytes_and_key() -> None:
    tries: dict[int, int] = {}

    def patchy(asked: Asked) -> Answer:
        number = id_of(asked)
        tries[number] = tries.get(number, 0) + 1
        kinds: list[Answer] = [answer(503), Cut(), answer(429), answer(500)]
        return kinds[number % 4] if number % 5 == 0 and tries[number] < 4 else answer()

    with Wire(patchy) as wire, audited(Path("state")) as wrong:
        report = send(wire.url, records(60))
        assert counts(report) == {"delivered": 60}
        assert report.attempts == len(wire.asked) == 60 + 12 * 3
        assert {asked.body for asked in wire.asked if id_of(asked) == 5} == {b'{"id":5}'}
        for number in range(60):
            keys = {asked.header("idempotency-key") for asked in wire.asked if id_of(asked) == number}
            assert len(keys) == 1
    assert wrong == []


def test_exhausted_ones_are_tried_once_more_after_all_others() -> None:
    tries = 0

    def bad_for_long(asked: Asked) -> Answer:
        nonlocal tries
        if id_of(asked) != 3:
            return answer()
        tries += 1
        return answer() if tries == 8 else answer(503)

    with Wire(bad_for_long) as wire:
        report = send(wire.url, records(30))
        assert counts(report) == {"delivered": 30}
        assert [id_of(asked) for asked in wire.asked][-3:] == [3, 3, 3]
        assert report.attempts == len(wire.asked) == 29 + 8


@pytest.mark.parametrize(("said", "state"), [(answer(503), "rejected"), (Cut(), "in_doubt")])
def test_exhausted_twice_is_rejected_where_answered_and_in_doubt_where_not(said: Answer, state: str) -> None:
    with Wire(lambda asked: said if id_of(asked) == 0 else answer(), delay_s=0.02) as wire:
        report = send(wire.url, records(30), limits={"max_in_flight": 1})
        assert counts(report) == {"delivered": 29, state: 1}
        assert report.attempts == len(wire.asked) == 29 + 10
    ((position, reason),) = rows(Path("state"), "select position, reason from record")
    assert position == 0
    assert reason.startswith("retries exhausted: ")


def test_a_record_alone_that_never_passes_stops_the_run() -> None:
    """Nothing succeeded between its two rounds, so nobody knows whose fault it is."""
    with Wire(lambda asked: answer(503)) as wire:
        report = send(wire.url, records(1))
        check_stopped(report, read=1)
        assert len(wire.asked) == 10


def test_a_repeated_request_that_finds_its_work_done_is_no_rejection() -> None:
    """The first attempt got no answer; 422 to the second may mean that it was done."""
    with Wire(lambda asked: Cut() if asked.number == 0 else answer(422, b"exists")) as wire:
        report = send(wire.url, records(1))
        assert counts(report) == {"in_doubt": 1}
        assert len(wire.asked) == 2


@pytest.mark.parametrize(
    ("first", "state"), [(answer(503), "in_doubt"), (Cut(), "in_doubt"), (answer(429), "rejected")]
)
def test_a_stopped_run_remembers_what_may_have_been_sent(first: Answer, state: str) -> None:
    """The attempt may have reached the server, then the run is stopped while it waits for another."""
    write_records(Path("in.jsonl"), 40)
    mended = threading.Event()

    def reply(asked: Asked) -> Answer:
        if id_of(asked) == 20:
            return answer(422, b"exists") if mended.is_set() else first
        if id_of(asked) > 25 and not mended.is_set():
            return answer(401)
        return answer()

    with Wire(reply) as wire:
        slow = {"attempts": 5, "base_s": 600, "cap_s": 600}
        stopped = send(wire.url, "in.jsonl", retry=slow)
        assert stopped.state == "stopped"
        assert stopped.sending == 0
        mended.set()
        report = send(wire.url, "in.jsonl", retry=slow)
        assert counts(report) == {"delivered": 39, state: 1}
        assert report.attempts == len(wire.asked)


@pytest.mark.parametrize("first", [answer(503), Cut()], ids=["503", "no answer"])
@pytest.mark.parametrize("then", [answer(429, Retry_After="3600"), answer(401)], ids=["429", "401"])
def test_what_may_have_been_sent_once_stays_so_whatever_is_answered_later(
    first: Answer, then: Answer
) -> None:
    """The service may have done its work at the first attempt; what it says later stops the run and is no denial."""
    write_records(Path("in.jsonl"), 1)
    said = [first, then, then, answer(422, b"exists")]
    with Wire(lambda asked: said[asked.number]) as wire:
        for _ in range(2):
            check_stopped(send(wire.url, "in.jsonl"), read=1)
        assert counts(send(wire.url, "in.jsonl")) == {"in_doubt": 1}
        assert len(wire.asked) == 4


# -- what a service asks for -----------------------------------------------------------------------------------------


FAR = datetime(2001, 1, 1, tzinfo=UTC)
FORMS = {
    "seconds": {"Retry_After": "1"},
    "date": {
        "Date": format_datetime(FAR, usegmt=True),
        "Retry_After": format_datetime(FAR + timedelta(seconds=1), usegmt=True),
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_retry_after_is_waited_for_by_the_whole_run(form: str) -> None:
    def reply(asked: Asked) -> Answer:
        if asked.number == 3:
            time.sleep(0.8)  # the other connection goes on until the 429 was heard of
        return answer(429, **FORMS[form]) if asked.number == 2 else answer()

    with Wire(reply) as wire:
        assert counts(send(wire.url, records(10), limits={"max_in_flight": 2})) == {"delivered": 10}
        after = [asked.at for asked in wire.asked[4:]]
        assert len(after) == 7
        assert min(after) - wire.asked[2].at >= 0.99


def test_a_date_counts_from_the_clock_here_where_the_answer_has_none() -> None:
    """It names a full second, so the wait is between two and three seconds."""

    def reply(asked: Asked) -> Answer:
        if asked.number:
            return answer()
        return answer(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True))

    with Wire(reply) as wire:
        assert counts(send(wire.url, records(1))) == {"delivered": 1}
        assert wire.asked[1].at - wire.asked[0].at >= 1.5


@pytest.mark.parametrize(("asked_for", "said"), [("3600", "3,600"), ("9" * 500, "2,147,483,648")])
def test_a_wait_beyond_patience_stops_the_run_and_says_when_to_come_back(asked_for: str, said: str) -> None:
    with Wire(lambda asked: answer(429, b"quota", Retry_After=asked_for)) as wire:
        report = send(wire.url, records(50), limits={"patience_s": 60})
        check_stopped(report)
        assert report.attempts == len(wire.asked) == 1
        assert (
            f"it asks to come back in {said} s, which is more than `limits.patience_s` (60 s)"
            in report.reason
        )


def test_a_date_no_calendar_has_is_no_date() -> None:
    headers = {"Retry_After": "Wed, 21 Oct 99999999999 07:28:00 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    with Wire(lambda asked: answer(503, **headers) if asked.number == 1 else answer()) as wire:
        assert counts(send(wire.url, records(3))) == {"delivered": 3}


def test_requests_are_spaced_by_the_rate_also_the_first_two() -> None:
    with Wire() as wire:
        send(wire.url, records(4), limits={"requests_per_second": 2.0})
        gaps = [after.at - before.at for before, after in pairwise(wire.asked)]
        assert min(gaps) >= 0.2


# -- the run goes on counting ----------------------------------------------------------------------------------------


def test_counts_add_up_at_every_instant_of_a_bad_run() -> None:
    path = write_records(Path("in.jsonl"), 600)
    path.write_text(path.read_text() + '{"id":\n')

    def reply(asked: Asked) -> Answer:
        time.sleep(0.001)
        ids = [record["id"] for record in json.loads(asked.body)]
        if 300 in ids:
            return answer(400)
        if asked.number % 7 == 3:
            return answer(503)
        return Cut() if asked.number % 11 == 5 else answer()

    with Wire(reply) as wire, audited(Path("state")) as wrong:
        report = send(
            wire.url, "in.jsonl", batching={"size": 5}, outputs=[{"to": "jsonl", "path": "out.jsonl"}]
        )
    assert wrong == []
    assert (report.read, report.state) == (601, "finished")
    found = counts(report)
    assert found["rejected"] >= 6
    assert len(Path("out.jsonl").read_text().splitlines()) == 121  # the malformed one, too


@pytest.mark.parametrize("batched", [True, False])
def test_a_run_that_is_stopped_again_and_again_carries_every_record_once(batched: bool) -> None:
    """Every answer is good, so nothing may be sent twice however often the run is stopped."""
    lines = [json.dumps({"id": number, "side": number % 3}) for number in range(150)]
    lines[40], lines[77] = "{", '{"id":NaN}'
    Path("in.jsonl").write_text("\n".join(lines))
    written: dict[str, Any] = {"batching": {"size": 4}} if batched else {}
    target = "/to/{record.side}"
    seen: set[int] = set()

    def reply(asked: Asked) -> Answer:
        if asked.number % 9 == 8:
            return answer(401)
        return answer()

    with Wire(reply) as wire, audited(Path("state")) as wrong:
        for _ in range(60):
            report = send(wire.url, "in.jsonl", target=target, **written)
            if report.state == "finished":
                break
        assert counts(report) == {"delivered": 148, "rejected": 2}
        found = [json.loads(asked.body) for asked in wire.asked if asked.number % 9 != 8]
        ids = [record["id"] for one in found for record in (one if batched else [one])]
        seen |= set(ids)
        assert len(ids) == len(seen) == 148
        by_key: dict[str | None, set[tuple[str, bytes]]] = {}
        for asked in wire.asked:
            by_key.setdefault(asked.header("idempotency-key"), set()).add((asked.target, asked.body))
        assert all(len(bodies) == 1 for bodies in by_key.values())
        assert report.attempts == len(wire.asked)
    assert wrong == []
