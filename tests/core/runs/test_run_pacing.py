"""Pacing over real sockets: limits told and not told, degrading servers, quotas, and a credential of two processes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.core.delivery.simulated import SlidingWindow
from tests.core.runs.carrying import counts, destination, records, within
from tests.core.runs.wire import Answer, Asked, Wire, answer
from tests.sharing import made_once

import haulier

pytestmark = pytest.mark.alone
CARRIER = Path(__file__).parents[2] / "crash" / "carrier.py"


def send(url: str, carried: Any, **written: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(destination(url, **written), carried, state="state"))


@contextmanager
def waited_for_the_machine() -> Iterator[list[float]]:
    """Seconds in which this process was ready to go on and was not let; few on a machine with time to spare."""
    late, over = list[float](), threading.Event()

    def look() -> None:
        while not over.is_set():
            began = time.monotonic()
            time.sleep(0.02)
            late.append(max(0.0, time.monotonic() - began - 0.025))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield late
    finally:
        over.set()
        looking.join()


def limited(per_second: int, **headers: str) -> tuple[Callable[[Asked], Answer], list[float]]:
    """A service that grants so many in any second, and when it refused."""
    window, lock, refused = SlidingWindow(per_second), threading.Lock(), list[float]()

    def reply(asked: Asked) -> Answer:
        with lock:
            status = window(asked.at).status
            if status != 200:
                refused.append(asked.at)
        return answer(status, **headers) if status != 200 else answer()

    return reply, refused


class Limited(NamedTuple):
    """One run against a service that grants fifty requests in any second."""

    report: haulier.Report
    asked: list[Asked]
    refused: list[float]
    waited_s: float


def carry_limited(records_count: int, headers: dict[str, str], **written: Any) -> Limited:
    reply, refused = limited(50, **headers)
    with tempfile.TemporaryDirectory() as state, Wire(reply, delay_s=0.01) as wire:
        with waited_for_the_machine() as waited:
            made = destination(wire.url, **written)
            report = haulier.send(made, records(records_count), state=state)
        return Limited(report, wire.asked, refused, sum(waited))


def carry_all_limited() -> dict[str, Limited]:
    """Runs that do nothing but wait for most of their time, beside each other: told the limit, and left to learn it."""
    # As long as a service grants nothing, five deliveries are to be patient for longer than the second that takes.
    patient = {"retry": {"base_s": 0.1, "cap_s": 2}}
    with ThreadPoolExecutor(3) as pool:
        begun = {
            "told": pool.submit(carry_limited, 600, {}, limits={"requests_per_second": 50}),
            "not told": pool.submit(carry_limited, 1000, {}, **patient),
            "not told, Retry-After": pool.submit(carry_limited, 1000, {"Retry_After": "1"}, **patient),
        }
        return {name: run.result(120) for name, run in begun.items()}


@pytest.fixture(scope="session")
def all_limited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Limited]:
    return made_once("limited", carry_all_limited, tmp_path_factory)


def test_told_its_limit_none_is_refused_and_five_percent_lost_at_most(
    all_limited: dict[str, Limited],
) -> None:
    run = all_limited["told"]
    assert counts(run.report) == {"delivered": 600}
    assert run.refused == []
    assert run.asked[-1].at - run.asked[0].at <= 1.05 * 12 + run.waited_s


@pytest.mark.parametrize("name", ["not told", "not told, Retry-After"])
def test_not_told_it_learns_the_limit(name: str, all_limited: dict[str, Limited]) -> None:
    run = all_limited[name]
    assert counts(run.report) == {"delivered": 1000}
    first = run.asked[0].at
    late = [asked for asked in run.asked if asked.at > first + 1]
    assert sum(at > first + 1 for at in run.refused) <= 0.05 * len(late)
    assert run.asked[-1].at - first <= 1.25 * 20 + run.waited_s


def test_while_everything_is_refused_whoever_is_ready_asks_for_all() -> None:
    """Not one delivery alone, whose own waits grow with each refusal: the limit would be found late."""
    asked_for = list[bytes]()

    def reply(asked: Asked) -> Answer:
        asked_for.append(asked.body)
        return answer(429 if 10 < len(asked_for) <= 20 else 200)

    with Wire(reply) as wire:
        retry = {"base_s": 2, "cap_s": 2}
        report = send(wire.url, records(60), limits={"max_in_flight": 4}, retry=retry)
    assert counts(report) == {"delivered": 60}
    assert len(set(asked_for[10:20])) > 5


def test_a_server_that_degrades_beyond_32_in_flight_is_kept_near_its_best() -> None:
    latency_s, in_flight, most, lock = 0.1, 0, 0, threading.Lock()

    def reply(asked: Asked) -> Answer:
        nonlocal in_flight, most
        with lock:
            in_flight += 1
            most = max(most, in_flight)
            seconds = latency_s * max(1.0, in_flight / 32) ** 2
        time.sleep(seconds)
        with lock:
            in_flight -= 1
        return answer()

    with Wire(reply) as wire:
        report = send(wire.url, records(1500))
        assert counts(report) == {"delivered": 1500}
        times = [asked.at for asked in wire.asked]
        assert 500 / (times[-1] - times[-501]) >= 0.85 * 32 / latency_s
        assert most <= 64


@pytest.mark.parametrize(
    ("written", "in_flight"),
    [
        ({"transport": "httpx"}, 12),
        ({"transport": "http1"}, 12),
        ({"unanswered": "park"}, 12),
        ({"unanswered": "park"}, 300),  # more than one window
    ],
)
def test_told_how_many_the_first_leaves_alone_and_then_as_many_at_once(
    written: dict[str, Any], in_flight: int
) -> None:
    """The first one is answered late, the others when as many as told have come: they have to be in flight together."""
    together, beside_the_first = threading.Barrier(in_flight), list[int]()

    def reply(asked: Asked) -> Answer:
        if asked.number == 0:
            time.sleep(0.2)
            beside_the_first.append(len(wire.asked))
        else:
            together.wait(20)
        return answer()

    with Wire(reply) as wire:
        report = send(wire.url, records(2 * in_flight + 1), limits={"max_in_flight": in_flight}, **written)
    assert counts(report) == {"delivered": 2 * in_flight + 1}
    assert beside_the_first == [1]


def test_repeated_requests_keep_to_the_limit_too() -> None:
    with Wire(lambda asked: answer(503 if asked.number % 2 else 200)) as wire:
        report = send(wire.url, records(20), limits={"requests_per_second": 10})
        assert counts(report) == {"delivered": 20}
        for before, after in zip(wire.asked, wire.asked[11:], strict=False):
            assert after.at - before.at >= 1.0


def test_a_quota_that_is_used_up_stops_the_run_which_goes_on_later() -> None:
    left, reset = 10, int(time.time()) + 86_400

    def reply(asked: Asked) -> Answer:
        nonlocal left
        left -= 1
        return answer(X_RateLimit_Remaining=str(max(0, left)), X_RateLimit_Reset=str(reset))

    with Wire(reply) as wire:
        carried = [json.dumps({"id": number}) for number in range(40)]
        made = destination(wire.url, limits={"max_in_flight": 1})
        report = haulier.send(made, carried, state="state", run_key="k")
        assert (report.state, report.exit_code) == ("stopped", 3)
        assert counts(report) == {"delivered": 10, "pending": report.read - 10}
        assert "no requests left (x-ratelimit-remaining: 0) until" in report.reason
        assert len(wire.asked) == 10  # and none of them refused
        left = 100
        assert counts(haulier.send(made, carried, state="state", run_key="k")) == {"delivered": 40}
        assert len(wire.asked) == 40


def test_two_processes_with_one_credential_share_its_limit(tmp_path: Path) -> None:
    with Wire() as wire:
        running = []
        for name in ("one", "two"):
            path = tmp_path / f"{name}.jsonl"
            path.write_text("".join(f'{{"id":{number}}}\n' for number in range(30)))
            made = {**destination(wire.url, limits={"requests_per_second": 10}), "name": name}
            orders = tmp_path / f"{name}.json"
            orders.write_text(
                json.dumps({"destination": made, "records": str(path), "state": "state", "piped": False})
            )
            running.append(
                subprocess.Popen(
                    [sys.executable, str(CARRIER), str(orders)], stdout=subprocess.PIPE, text=True
                )
            )
        for one in running:
            assert json.loads(one.communicate(timeout=60)[0])["delivered"] == 30
        times = [asked.at for asked in wire.asked]
        assert len(times) == 60
        # The first request of a process takes longer to arrive.
        for before, after in zip(times[6:], times[17:], strict=False):
            assert after - before >= 1.0


def test_runs_without_a_limit_share_nothing() -> None:
    with Wire() as wire:
        assert counts(send(wire.url, records(20))) == {"delivered": 20}
    assert not Path("state/_limits").exists()


# -- order ---------------------------------------------------------------------------------------------------------


def in_order(
    keys: list[str], wire_delay: Callable[[Asked], float], **written: Any
) -> tuple[list[tuple[str, int]], int]:
    """Records (sku, number) in the order they were delivered, and how many were under way at most."""
    delivered: list[tuple[str, int]] = []
    under_way: list[str] = []
    most, lock, failed = 0, threading.Lock(), set[int]()

    def reply(asked: Asked) -> Answer:
        nonlocal most
        record = json.loads(asked.body)
        with lock:
            if "sku" in record:
                assert written["order"] != "key" or record["sku"] not in under_way
                under_way.append(record["sku"])
            most = max(most, len(under_way))
        time.sleep(wire_delay(asked))
        with lock:
            if "sku" in record:
                under_way.remove(record["sku"])
            if record["n"] % 5 == 3 and record["n"] not in failed:
                failed.add(record["n"])
                return answer(503)
            delivered.append((record.get("sku", ""), record["n"]))
        return answer()

    carried = [{"sku": key, "n": number} if key else {"n": number} for number, key in enumerate(keys)]
    with Wire(reply) as wire:
        report = send(wire.url, carried, key="sku", **written)
        assert counts(report) == {"delivered": len(keys)}
    return delivered, most


def test_order_by_key_has_one_request_of_each_key_under_way_and_keeps_their_order() -> None:
    keys = [*"aabacbbcadeadbcabdecbadbec" * 3, "", "", ""]
    delivered, most = in_order(keys, lambda asked: 0.002 * (asked.number % 7), order="key")
    assert most > 1
    for key in "abcde":
        numbers = [number for sku, number in delivered if sku == key]
        assert numbers == sorted(numbers)


def test_an_order_by_a_key_that_no_record_has_is_told_by_the_report() -> None:
    carried = [{"sku": "a"}, {"sku": "b"}, {"other": "c"}]
    with Wire() as wire:
        told = send(wire.url, carried, name="misspelt", key="skuu", order="key")
        assert told.note == "order: no record so far has the attribute `skuu` (`key`), so none was kept"
        assert send(wire.url, carried, name="right", key="sku", order="key").note == ""


def test_strict_order_has_one_request_under_way_in_all() -> None:
    delivered, most = in_order([*"abc" * 10], lambda asked: 0.001, order="strict")
    assert most == 1
    assert [number for _, number in delivered] == list(range(30))


def test_in_strict_order_nothing_overtakes_a_request_that_fails() -> None:
    def reply(asked: Asked) -> Answer:
        return answer(503 if json.loads(asked.body)["id"] == 5 else 200)

    with Wire(reply) as wire:
        report = send(wire.url, records(20), order="strict")
        assert report.state == "stopped"
        assert counts(report) == {"delivered": 5, "pending": 15}
        assert max(json.loads(asked.body)["id"] for asked in wire.asked) == 5


def test_in_order_by_key_a_request_that_fails_holds_its_key_only() -> None:
    sent: list[int] = []

    def reply(asked: Asked) -> Answer:
        number = json.loads(asked.body)["id"]
        sent.append(number)
        return answer(503 if number == 4 else 200)

    with Wire(reply) as wire:
        carried = [{"id": number, "sku": number % 2} for number in range(20)]
        report = send(wire.url, carried, key="sku", order="key")
        assert counts(report) == {"delivered": 19, "rejected": 1}
        even = [number for number in sent if number % 2 == 0]
        assert even == sorted(even)
        assert even.count(4) == 10  # twice all attempts, before 6 left


@pytest.mark.parametrize("unanswered", ["resend", "park"])
@pytest.mark.parametrize("order", ["key", "strict"])
def test_what_waits_for_a_request_that_spent_its_attempts_leaves_it_room(order: str, unanswered: str) -> None:
    """However few may be in flight: else those would wait for it, and it for them."""
    with Wire(lambda asked: answer(429 if asked.number in range(1, 6) else 200)) as wire:
        carried = [{"id": number, "sku": "a"} for number in range(100)]
        written = {"key": "sku", "order": order, "unanswered": unanswered, "limits": {"max_in_flight": 2}}
        assert counts(send(wire.url, carried, **written)) == {"delivered": 100}
        ids = [json.loads(asked.body)["id"] for asked in wire.asked]
        assert ids == [0, *[1] * 6, *range(2, 100)]


def test_batches_keep_strict_order() -> None:
    with Wire(lambda asked: answer(503 if asked.number % 3 == 1 else 200)) as wire:
        report = send(wire.url, records(50), order="strict", batching={"size": 5})
        assert counts(report) == {"delivered": 50}
        ids = [[one["id"] for one in json.loads(asked.body)] for asked in wire.asked]
        for before, after in pairwise(ids):
            assert before[0] <= after[0]


def test_parts_of_a_batch_keep_strict_order_when_a_stopped_run_goes_on() -> None:
    well = threading.Event()

    def reply(asked: Asked) -> Answer:
        ids = [one["id"] for one in json.loads(asked.body)]
        refused = 413 if ids == [4, 5, 6, 7] else 503 if ids[0] == 4 and not well.is_set() else 200
        return answer(refused)

    with Wire(reply) as wire:
        made = destination(wire.url, order="strict", batching={"size": 4})
        stopped = within(60, lambda: haulier.send(made, records(16), run_key="k", state="state"))
        assert counts(stopped) == {"delivered": 4, "pending": 12}
        before = len(wire.asked)
        well.set()
        finished = within(60, lambda: haulier.send(made, records(16), run_key="k", state="state"))
        assert counts(finished) == {"delivered": 16}
        ids = [[one["id"] for one in json.loads(asked.body)] for asked in wire.asked[before:]]
        assert ids == [[4, 5], [6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"order": "key"}, "order: `key` needs `key`, the attribute whose values are kept in order"),
        ({"order": "key", "key": "sku", "batching": True}, "order: `key` needs requests of one record each"),
        ({"order": "random"}, "order"),
    ],
)
def test_an_order_that_cannot_be_kept_is_refused(written: dict[str, Any], message: str) -> None:
    with pytest.raises(haulier.DestinationError, match=message):
        send("http://127.0.0.1:1", records(1), **written)
