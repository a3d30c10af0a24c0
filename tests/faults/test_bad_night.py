"""A bad night, from a run's start or in its middle: it stops resumably, rejects nobody and costs a few requests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import QUICK, counts, destination, rows, within, write_records
from tests.core.runs.wire import Answer, Asked, Cut, Wire, answer
from tests.faults.test_fault_matrix import TRANSPORTS

import haulier

RECORDS = 720
MOST = 25
IN_FLIGHT = 8
NIGHTS: dict[str, tuple[Answer, str]] = {
    "a 503": (
        answer(503, b"back soon"),
        "deliveries in a row spent all their attempts (the service answered 503",
    ),
    "no answer": (Cut(), "deliveries in a row spent all their attempts"),
    "a wrong path": (answer(404, b"no such path"), "the service answered 404: no such path"),
    "a wrong key": (answer(401, b"who are you"), "no credential was sent"),
    "a key that may not": (answer(403, b"not you"), "the credential may not do this"),
}


def send(wire: Wire, **written: Any) -> haulier.Report:
    made = destination(wire.url, limits={"max_in_flight": IN_FLIGHT}, **written)
    return within(60, lambda: haulier.send(made, "in.jsonl", state="state"))


@pytest.fixture(autouse=True)
def input_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_records(Path("in.jsonl"), RECORDS)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("size", [1, 6])
@pytest.mark.parametrize("night", NIGHTS)
def test_from_the_start_it_costs_no_more_than_twenty_five_requests(
    night: str, size: int, transport: str
) -> None:
    said, words = NIGHTS[night]
    written = {"transport": transport, "batching": {"size": size} if size > 1 else False}
    with Wire(lambda asked: said) as wire:
        report = send(wire, **written)
        assert (report.state, report.exit_code) == ("stopped", 3)
        assert words in report.reason
        assert "the records are at fault" not in report.reason, "nothing was delivered: it is the service"
        assert counts(report) == {"pending": report.read}
        assert rows(Path("state"), "select count(*) from record") == [(0,)]
        assert report.attempts == len(wire.asked) <= MOST
        wire.reply = lambda asked: answer()
        assert counts(send(wire, **written)) == {"delivered": RECORDS}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("size", [1, 6])
@pytest.mark.parametrize("night", NIGHTS)
def test_in_the_middle_it_costs_no_more_than_that_and_those_in_flight(
    night: str, size: int, transport: str
) -> None:
    said, words = NIGHTS[night]
    written = {"transport": transport, "batching": {"size": size} if size > 1 else False}
    dusk = 90
    with Wire(lambda asked: said if asked.number >= dusk else answer(), delay_s=0.005) as wire:
        report = send(wire, **written)
        assert (report.state, report.exit_code) == ("stopped", 3)
        assert words in report.reason or "in a row spent all" in report.reason
        delivered = dusk * size
        assert counts(report) == {"delivered": delivered, "pending": report.read - delivered}
        assert rows(Path("state"), "select count(*) from record") == [(0,)]
        spent = len(wire.asked) - dusk
        assert spent <= MOST + IN_FLIGHT
        wire.reply = lambda asked: answer()
        assert counts(send(wire, **written)) == {"delivered": RECORDS}
        assert len({(one.header("idempotency-key"), one.body) for one in wire.asked}) == RECORDS // size


def test_the_command_exits_with_three_names_the_setting_and_goes_on(tmp_path: Path) -> None:
    Path("haulier.yaml").write_text("version: 1\n")
    Path("destinations").mkdir()
    command = [sys.executable, "-m", "haulier", "run", "d", "--records", "in.jsonl", "--activate"]

    def haul() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    with Wire(lambda asked: answer(404, b"no such path")) as wire:
        made = {"request": {"method": "POST", "url": wire.url + "/x"}, "retry": QUICK}
        Path("destinations/d.yaml").write_text(json.dumps(made))
        stopped = haul()
        assert stopped.returncode == 3
        assert "it is a setting rather than the records" in stopped.stdout
        assert len(wire.asked) <= MOST
        wire.reply = lambda asked: answer()
        ended = haul()
        assert ended.returncode == 0, ended.stderr


# -- a night that is told for each record ----------------------------------------------------------------------------

BY_INDEX = {"by": "index", "at": "/r", "status": "/s"}


def told(asked: Asked, status: int, first: int = 0) -> Answer:
    """The service answers 200 each time; from the first record on, each one is told to be refused."""
    found = json.loads(asked.body)
    results = [
        {"s": status if one["id"] >= first else 200}
        for one in (found if isinstance(found, list) else [found])
    ]
    return answer(200, json.dumps({"r": results}).encode())


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("size", [1, 6])
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("dusk", [0, 3, 20, RECORDS // 2], ids=["start", "first batch", "doubling", "middle"])
@pytest.mark.parametrize("unanswered", ["resend", "park"])
def test_a_night_told_for_each_record_rejects_nobody(
    unanswered: str, dusk: int, status: int, size: int, transport: str
) -> None:
    written = {
        "transport": transport,
        "unanswered": unanswered,
        "batching": {"size": size} if size > 1 else False,
        "outcomes": BY_INDEX,
    }
    with Wire(lambda asked: told(asked, status, dusk), delay_s=0.005) as wire:
        report = send(wire, **written)
        assert (report.state, report.exit_code) == ("stopped", 3)
        assert f"5 deliveries in a row spent all their attempts (the service says {status})" in report.reason
        delivered = {"delivered": dusk} if dusk else {}
        assert counts(report) == {**delivered, "pending": report.read - dusk}
        assert rows(Path("state"), "select count(*) from record") == [(0,)]
        by_day = -(-dusk // size)
        in_flight = IN_FLIGHT if dusk else 0
        assert report.attempts == len(wire.asked) <= by_day + MOST + in_flight
        wire.reply = lambda asked: told(asked, 200)
        assert counts(send(wire, **written)) == {"delivered": RECORDS}


def test_a_night_that_begins_within_the_last_batch_stops_the_run_and_says_how_to_end_it() -> None:
    """That others of the batch were taken does not count as a success in between the two rounds."""
    write_records(Path("in.jsonl"), 6)
    written: dict[str, Any] = {"batching": {"size": 6}, "outcomes": BY_INDEX}
    with Wire(lambda asked: told(asked, 429, 2)) as wire:
        report = send(wire, **written)
        assert (report.exit_code, counts(report)) == (3, {"delivered": 2, "pending": 4})
        assert "nothing succeeded in between" in report.reason
        assert "`retry: []` under `outcomes:`" in report.reason
        assert len(wire.asked) == 1 + 4 + 5
        written["outcomes"] = {**BY_INDEX, "retry": []}
        assert counts(send(wire, **written)) == {"delivered": 2, "rejected": 4}


def test_before_the_first_success_refusals_among_records_to_come_again_are_provisional() -> None:
    """Half of each batch is told 400 and half 503: the run stops, and nobody is rejected. Mended, all are taken."""
    mended = False

    def mixed(asked: Asked) -> Answer:
        found = json.loads(asked.body)
        bad = [400 if one["id"] % 2 else 503 for one in found]
        return answer(200, json.dumps({"r": [{"s": 200 if mended else status} for status in bad]}).encode())

    with Wire(mixed) as wire:
        written: dict[str, Any] = {"batching": {"size": 6}, "outcomes": BY_INDEX}
        report = send(wire, **written)
        assert (report.exit_code, counts(report)) == (3, {"pending": report.read})
        assert rows(Path("state"), "select count(*) from record") == [(0,)]
        assert len(wire.asked) <= MOST
        mended = True
        assert counts(send(wire, **written)) == {"delivered": RECORDS}


def test_the_first_success_makes_the_refusals_of_its_answer_count() -> None:
    write_records(Path("in.jsonl"), 4)
    tries = [[400, 503, 503, 400], [400, 200, 503, 400], [200]]

    def later(asked: Asked) -> Answer:
        return answer(200, json.dumps({"r": [{"s": one} for one in tries[asked.number]]}).encode())

    with Wire(later) as wire:
        report = send(wire, batching={"size": 4}, outcomes=BY_INDEX)
        assert (report.state, counts(report)) == ("finished", {"delivered": 2, "rejected": 2})
        assert [len(json.loads(body)) for body in wire.bodies] == [4, 4, 1]


def test_each_part_that_is_left_of_a_second_round_has_one_of_its_own() -> None:
    """The service takes one record, each time in a second round: nobody is lost, or rejected."""
    write_records(Path("in.jsonl"), 4)
    tries = 0

    def sparing(asked: Asked) -> Answer:
        nonlocal tries
        tries += 1
        count = len(json.loads(asked.body))
        taken = 200 if tries % 5 == 1 and tries > 1 else 503
        return answer(200, json.dumps({"r": [{"s": taken}, *[{"s": 503}] * (count - 1)]}).encode())

    with Wire(sparing) as wire:
        report = send(wire, batching={"size": 4}, outcomes=BY_INDEX)
        assert (report.state, counts(report)) == ("finished", {"delivered": 4})


# -- one record, not a night -----------------------------------------------------------------------------------------


def test_refusals_of_the_address_between_successes_are_rejections() -> None:
    write_records(Path("in.jsonl"), 200)
    with Wire(lambda asked: answer(404) if asked.number % 10 else answer()) as wire:
        report = send(wire, order="strict")
        assert (report.state, counts(report)) == ("finished", {"delivered": 20, "rejected": 180})


def test_where_records_have_addresses_of_their_own_a_404_is_of_the_record() -> None:
    write_records(Path("in.jsonl"), 100)
    with Wire(lambda asked: answer(404) if asked.number else answer()) as wire:
        report = send(wire, target="/items/{record.id}")
        assert (report.state, counts(report)) == ("finished", {"delivered": 1, "rejected": 99})


def test_what_somebody_said_of_a_404_holds_however_many_there_are() -> None:
    write_records(Path("in.jsonl"), 100)
    with Wire(lambda asked: answer(404) if asked.number else answer()) as wire:
        report = send(wire, verdicts={404: "rejected"})
        assert (report.state, counts(report)) == ("finished", {"delivered": 1, "rejected": 99})


def bad_last(asked: Asked) -> Answer:
    """The last record makes the service fail, whatever it is asked with."""
    found = json.loads(asked.body)
    return (
        answer(500, b"oops")
        if any(one["id"] == 39 for one in (found if isinstance(found, list) else [found]))
        else answer()
    )


@pytest.mark.parametrize(("size", "rejected"), [(1, 1), (8, 1)])
def test_a_last_record_that_always_fails_stops_the_run_and_the_message_says_how_to_end_it(
    size: int, rejected: int
) -> None:
    """Nothing is left to deliver, so nobody can know whether service or record is at fault: a person says it."""
    write_records(Path("in.jsonl"), 40)
    batching: dict[str, Any] = {"batching": {"size": size}, "all_or_nothing": True} if size > 1 else {}
    with Wire(bad_last, delay_s=0.002) as wire:
        made = {"order": "strict", **batching}
        for _ in range(2):
            report = send(wire, **made)
            assert report.exit_code == 3
            assert counts(report) == {"delivered": 40 - size, "pending": size}
            assert "write `verdicts: {500: rejected}` and run again" in report.reason
        ended = send(wire, verdicts={500: "rejected"}, **made)
        assert (ended.run_id, ended.state, ended.exit_code) == (report.run_id, "finished", 4)
        assert counts(ended) == {"delivered": 40 - rejected, "rejected": rejected}


def test_records_that_fail_for_ever_in_the_second_round_end_as_the_message_says() -> None:
    """Eight of them, with good ones between: the row of five is only full in their second round."""
    write_records(Path("in.jsonl"), 80)
    with Wire(lambda asked: answer(500) if json.loads(asked.body)["id"] % 10 == 1 else answer()) as wire:
        report = send(wire)
        assert report.exit_code == 3
        assert "5 deliveries in a row spent all their attempts" in report.reason
        assert "write `verdicts: {500: rejected}` and run again" in report.reason
        ended = send(wire, verdicts={500: "rejected"})
        assert (ended.run_id, ended.state) == (report.run_id, "finished")
        assert counts(ended) == {"delivered": 72, "rejected": 8}


def test_a_last_record_that_is_never_answered_ends_parked() -> None:
    write_records(Path("in.jsonl"), 40)
    with Wire(lambda asked: Cut() if json.loads(asked.body)["id"] == 39 else answer()) as wire:
        report = send(wire, order="strict")
        assert "write `unanswered: park` and run again" in report.reason
        ended = send(wire, order="strict", unanswered="park")
        assert (ended.state, counts(ended)) == ("finished", {"delivered": 39, "in_doubt": 1})


def test_a_run_stopped_by_max_rejected_goes_on_with_a_greater_one() -> None:
    write_records(Path("in.jsonl"), 60)
    with Wire(lambda asked: answer(400) if json.loads(asked.body)["id"] % 2 else answer()) as wire:
        stopped = send(wire, max_rejected=3)
        assert stopped.state == "stopped"
        ended = send(wire, max_rejected=100)
        assert (ended.run_id, counts(ended)) == (stopped.run_id, {"delivered": 30, "rejected": 30})


# -- a night in which nobody knows what became of what was sent ------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("dusk", [0, 90], ids=["start", "middle"])
@pytest.mark.parametrize("said", [answer(500), answer(504), Cut()], ids=["500", "504", "no answer"])
def test_under_park_a_night_stops_the_run_before_more_than_a_few_are_in_doubt(
    said: Answer, dusk: int, transport: str
) -> None:
    written = {"transport": transport, "unanswered": "park"}
    with Wire(lambda asked: said if asked.number >= dusk else answer(), delay_s=0.005) as wire:
        report = send(wire, **written)
        assert (report.state, report.exit_code) == ("stopped", 3)
        assert "requests in a row may have arrived and nobody knows" in report.reason
        spent = len(wire.asked) - dusk
        assert 5 <= spent <= 5 + (IN_FLIGHT if dusk else 0)
        delivered = {"delivered": dusk} if dusk else {}
        assert counts(report) == {**delivered, "in_doubt": spent, "pending": report.read - dusk - spent}
        wire.reply = lambda asked: answer()
        assert counts(send(wire, **written)) == {"delivered": RECORDS - spent, "in_doubt": spent}
        assert len(wire.asked) == RECORDS


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("size", [1, 6])
def test_answers_that_are_never_understood_stop_the_run_after_twenty(size: int, transport: str) -> None:
    written = {
        "transport": transport,
        "batching": {"size": size} if size > 1 else False,
        "outcomes": {**BY_INDEX, "at": "/results"},
    }
    with Wire(lambda asked: told(asked, 200)) as wire:
        report = send(wire, **written)
        assert (report.state, report.exit_code) == ("stopped", 3)
        assert "the answer holds no list of results" in report.reason
        assert "look at `outcomes`, `success_when` and `verdicts`" in report.reason
        assert counts(report) == {"in_doubt": 20 * size, "pending": report.read - 20 * size}
        assert len(wire.asked) == 20
        ended = send(wire, **{**written, "outcomes": BY_INDEX})
        assert counts(ended) == {"in_doubt": 20 * size, "delivered": RECORDS - 20 * size}


def test_a_web_page_that_takes_the_place_of_the_service_stops_the_run() -> None:
    page = answer(200, b"<!doctype html><p>back soon", media_type="text/html")
    with Wire(lambda asked: page if asked.number >= 90 else answer(200, b"{}"), delay_s=0.005) as wire:
        report = send(wire, answers="json")
        assert (report.state, report.exit_code) == ("stopped", 3)
        assert "with a web page where JSON was expected" in report.reason
        # What is in flight beside the last success is not counted, and when the run stops as much is in flight again.
        assert 20 <= report.in_doubt <= 20 + 2 * IN_FLIGHT
        assert counts(report) == {
            "delivered": 90,
            "in_doubt": report.in_doubt,
            "pending": report.read - 90 - report.in_doubt,
        }
