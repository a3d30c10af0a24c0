"""Answers that speak of each record, batches refused whole, and rejections that stop a run: over real sockets."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import audited, counts, destination, records, rows, within, write_records
from tests.core.runs.wire import Asked, Cut, Wire, answer

import haulier
from haulier.io.ledger.rows import Commit
from haulier.io.ledger.store import LedgerView
from haulier.io.ledger.writer import Writer
from haulier.runs.sittings import sitting


def send(wire: Wire, carried: Any, **written: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(destination(wire.url, **written), carried, state="state"))


def ids(asked: Asked) -> list[int]:
    found = json.loads(asked.body)
    return [record["id"] for record in (found if isinstance(found, list) else [found])]


BY_KEY = {"by": "key", "at": "/results", "key": "/id", "status": "/status", "reason": "/why"}


def test_each_record_is_settled_by_its_own_result_and_only_those_that_ask_for_it_are_sent_again() -> None:
    tried: dict[int, int] = {}

    def reply(asked: Asked) -> bytes:
        results = []
        for number in reversed(ids(asked)):
            tried[number] = tried.get(number, 0) + 1
            if number == 3 and tried[number] < 3:
                results.append({"id": number, "status": 429, "why": "later"})
            elif number == 5:
                results.append({"id": number, "status": 422, "why": "no price"})
            elif number != 7:
                results.append({"id": number, "status": 201})
        return answer(207, json.dumps({"results": results}).encode())

    with Wire(reply) as wire:
        report = send(wire, records(10), key="id", batching={"size": 10}, outcomes=BY_KEY)
        assert counts(report) == {"delivered": 8, "rejected": 1, "in_doubt": 1}
        assert [ids(asked) for asked in wire.asked] == [list(range(10)), [3], [3]]
        keys = [asked.header("idempotency-key") for asked in wire.asked]
        assert keys[0] != keys[1] == keys[2]
        assert report.attempts == 3
    kept = rows(
        Path("state"), "select position, state, reason, cast(text as text) from record order by position"
    )
    assert kept == [
        (5, 4, "the service says 422: no price", '{"id":5}'),
        (7, 5, "the answer does not speak of this record", '{"id":7}'),
    ]


def test_a_record_that_asks_again_for_ever_is_rejected_when_its_attempts_are_spent() -> None:
    def reply(asked: Asked) -> bytes:
        results = [{"id": number, "status": 503 if number == 1 else 200} for number in ids(asked)]
        return answer(200, json.dumps({"results": results}).encode())

    with Wire(reply) as wire:
        report = send(wire, records(6), key="id", batching={"size": 3}, outcomes=BY_KEY)
        assert counts(report) == {"delivered": 5, "rejected": 1}
        assert len(wire.asked) == 2 + 4 + 5  # both batches, the rest of the first round, the second one
    assert rows(Path("state"), "select reason from record") == [("retries exhausted: the service says 503",)]


def test_records_that_are_asked_for_again_while_everything_is_refused_hold_nobody_up() -> None:
    """Their turn comes and nothing leaves, as they wait first: no answer to that may be waited for."""
    first: list[float] = []

    def reply(asked: Asked) -> bytes:
        first.append(asked.at)
        if first[0] < asked.at < first[0] + 0.6:
            return answer(429)
        results = [{"id": number, "status": 503 if asked.number == 0 else 200} for number in ids(asked)]
        results[0]["status"] = 200
        return answer(200, json.dumps({"results": results}).encode())

    with Wire(reply) as wire:
        patient = {"attempts": 50, "base_s": 0.2, "cap_s": 0.2}
        written = {"key": "id", "batching": {"size": 3}, "outcomes": BY_KEY, "retry": patient}
        report = send(wire, records(6), limits={"max_in_flight": 1}, **written)
        assert counts(report) == {"delivered": 6}
        assert [1, 2] in map(ids, wire.asked)


@pytest.mark.parametrize(
    ("status", "written"), [(413, {}), (400, {"all_or_nothing": True}), (422, {"all_or_nothing": True})]
)
def test_one_bad_record_in_a_hundred_stands_alone_and_the_others_are_delivered(
    status: int, written: Any
) -> None:
    def reply(asked: Asked) -> bytes:
        return answer(status, b"one is bad") if 137 in ids(asked) else answer()

    with Wire(reply) as wire:
        report = send(wire, records(300), batching={"size": 100}, **written)
        assert counts(report) == {"delivered": 299, "rejected": 1}
        assert len(wire.asked) <= 3 + 2 * 7
        delivered = [number for asked in wire.asked if 137 not in ids(asked) for number in ids(asked)]
        assert sorted(delivered) == [number for number in range(300) if number != 137]
    assert rows(Path("state"), "select position, state from record") == [(137, 4)]


def test_a_part_knows_the_request_it_was_made_from() -> None:
    with Wire(lambda asked: answer(413 if 5 in ids(asked) else 200)) as wire:
        assert counts(send(wire, records(8), batching={"size": 8})) == {"delivered": 7, "rejected": 1}
    made = rows(Path("state"), "select id & 0xffffffff, first, count, parent from request order by id")
    assert made == [
        (0, 0, 0, None),
        (1, 0, 4, 0),
        (2, 4, 0, 0),
        (3, 4, 0, 2),
        (4, 6, 2, 2),
        (5, 4, 1, 3),
        (6, 5, 1, 3),
    ]
    with closing(LedgerView.open(Path("state/d"))) as view:
        assert [(one["number"], one["part_of"]) for one in view.records(view.runs()[0])] == [(6, 3)]


def test_a_batch_is_not_halved_where_nobody_said_that_it_is_all_or_nothing() -> None:
    with Wire(lambda asked: answer(400) if asked.number == 1 else answer()) as wire:
        report = send(wire, records(40), batching={"size": 10}, limits={"max_in_flight": 1})
        assert counts(report) == {"delivered": 30, "rejected": 10}
        assert len(wire.asked) == 4


def test_halving_stops_where_every_record_is_refused_and_nobody_is_dead_lettered() -> None:
    with Wire(lambda asked: answer(413)) as wire:
        report = send(wire, records(1000), batching={"size": 100})
        assert report.state == "stopped"
        assert counts(report) == {"pending": report.read}
        assert len(wire.asked) <= 25
    assert rows(Path("state"), "select count(*) from record") == [(0,)]


def test_a_run_stopped_in_the_middle_of_halving_goes_on_and_loses_nothing() -> None:
    Path("in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(200)))
    mended = False

    def reply(asked: Asked) -> bytes:
        if 42 in ids(asked) and len(ids(asked)) > 1:
            return answer(413)
        return answer(401) if len(ids(asked)) < 30 and not mended else answer()

    with Wire(reply) as wire:
        first = send(wire, "in.jsonl", batching={"size": 100}, limits={"max_in_flight": 1})
        assert first.state == "stopped"
        assert first.sending == first.rejected == 0
        mended = True
        report = send(wire, "in.jsonl", batching={"size": 100}, limits={"max_in_flight": 1})
        assert counts(report) == {"delivered": 200}


def test_success_is_what_the_destination_says_it_is() -> None:
    def reply(asked: Asked) -> bytes:
        word = b"error" if ids(asked) == [4] else b"success"
        return answer(200, b'{"status":{"type":"%s","text":"no such picture"}}' % word)

    written = {"success_when": {"at": "/status/type", "is": "success"}, "reason_at": "/status/text"}
    with Wire(reply) as wire:
        report = send(wire, records(8), **written)
        assert counts(report) == {"delivered": 7, "rejected": 1}
    assert rows(Path("state"), "select reason from record") == [
        ("the service answered 200: no such picture",)
    ]


@pytest.mark.parametrize(("most", "least", "limit"), [("3", 4, 20), (3, 4, 20), ("10%", 11, 200)])
def test_more_rejected_records_than_allowed_stop_the_run(most: Any, least: int, limit: int) -> None:
    with Wire(lambda asked: answer(400) if ids(asked)[0] % 2 else answer()) as wire:
        report = send(wire, records(1000), max_rejected=most, limits={"max_in_flight": 1})
        assert report.state == "stopped"
        assert "max_rejected" in report.reason
        assert least <= report.rejected <= limit
        assert report.pending > 0


def test_an_answer_taken_whose_body_breaks_off_is_delivered_or_in_doubt_by_whether_it_is_needed() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    with Wire(lambda asked: Cut(head) if asked.number == 1 else answer()) as wire:
        assert counts(send(wire, records(3))) == {"delivered": 3}
        assert len(wire.asked) == 3
    with Wire(lambda asked: Cut(head) if asked.number == 1 else answer(200, b'{"ok":true}')) as wire:
        written = {"success_when": {"at": "/ok", "is": True}, "name": "other"}
        assert counts(send(wire, records(3), **written)) == {"delivered": 2, "in_doubt": 1}
        assert len(wire.asked) == 3


BY_INDEX = {"by": "index", "at": "/r", "status": "/s"}


def half_spoken_of(asked: Asked) -> bytes:
    """The first record of each batch is refused; the answer does not speak of the others."""
    return answer(207, b'{"r":[{"s":400}]}')


def test_before_the_first_success_a_refusal_beside_records_in_doubt_is_provisional() -> None:
    with Wire(
        lambda asked: (
            half_spoken_of(asked) if asked.number < 3 else answer(200, b'{"r":[{"s":200},{"s":200}]}')
        )
    ) as wire:
        heard: list[tuple[str, tuple[int, ...]]] = []

        def hear(told: haulier.Delivered) -> None:
            heard.append((told.state.name, tuple(told.positions)))

        made = destination(wire.url, batching={"size": 2}, outcomes=BY_INDEX)
        with audited(Path("state")) as wrong:
            report = within(60, lambda: haulier.send(made, records(8), state="state", on_delivery=hear))
        assert wrong == []
        assert counts(report) == {"delivered": 2, "rejected": 3, "in_doubt": 3}
        assert report.attempts == len(wire.asked) == 4
    assert heard == [
        ("IN_DOUBT", (1,)),
        ("IN_DOUBT", (3,)),
        ("IN_DOUBT", (5,)),
        ("REJECTED", (0,)),
        ("REJECTED", (2,)),
        ("REJECTED", (4,)),
        ("DELIVERED", (6, 7)),
    ]


def test_twenty_such_answers_stop_the_run_and_what_was_refused_alone_is_sent_again() -> None:
    Path("in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(60)))
    written: dict[str, Any] = {"batching": {"size": 2}, "outcomes": BY_INDEX}
    with Wire(half_spoken_of) as wire:
        with audited(Path("state")) as wrong:
            first = send(wire, "in.jsonl", **written)
        assert wrong == []
        assert (first.state, len(wire.asked)) == ("stopped", 20)
        assert counts(first) == {"in_doubt": 20, "pending": 40}
        assert rows(Path("state"), "select count(*) from record where state = 4") == [(0,)]

        def well(asked: Asked) -> bytes:
            return answer(200, json.dumps({"r": [{"s": 200} for _ in ids(asked)]}).encode())

        wire.reply = well
        report = send(wire, "in.jsonl", **written)
        assert counts(report) == {"in_doubt": 20, "delivered": 40}
        again = [ids(asked) for asked in wire.asked[20:]]
        assert sorted(again) == sorted(
            [*([2 * at] for at in range(20)), *([at, at + 1] for at in range(40, 60, 2))]
        )


def _taken(asked: Asked) -> bytes:
    found = json.loads(asked.body)
    named = [record for record in (found if isinstance(found, list) else [found]) if "id" in record]
    return answer(200, json.dumps({"results": [{"id": one["id"], "status": 201} for one in named]}).encode())


def test_a_key_that_no_record_has_is_warned_of_and_nothing_is_sent(tmp_path: Path) -> None:
    """However few there are; mended, the same command sends each record once."""
    with Wire(_taken) as wire:
        made = destination(wire.url, key="idd", batching={"size": 2}, outcomes=BY_KEY)
        warning = "key: none of the first 4 records has the attribute `idd`; did you mean `id`?"
        assert haulier.preview(made, records(4)).warnings == (warning,)
        assert warning in haulier.plan(made, records(4)).warnings
        for count, path in ((1, tmp_path / "one.jsonl"), (50, tmp_path / "many.jsonl")):
            write_records(path, count)
            report = within(60, lambda path=path: haulier.send(made, path, state="state"))
            assert report.reason == (
                f"key: none of the first {count} records has the attribute `idd`; did you mean `id`? they have id. "
                "`outcomes` finds each record's result by its key, so nobody could tell what became of any, and none "
                "is sent: it is a setting rather than the records. Write the attribute that names a record as `key`"
            )
            assert (report.state, report.attempts, counts(report)) == ("stopped", 0, {"pending": count})
            assert wire.asked == []
        mended = within(60, lambda: haulier.send({**made, "key": "id"}, path, state="state"))
        assert counts(mended) == {"delivered": 50}
        assert len(wire.asked) == 25
    assert haulier.preview({**made, "key": "id"}, records(4)).warnings == ()
    alone = {"name": "a", "key": "nobody", "order": "key", "request": {"url": "http://127.0.0.1:9/"}}
    assert haulier.preview(alone, records(4)).warnings == (
        "key: none of the first 4 records has the attribute `nobody`; is it spelt so?",
    )


def test_records_without_the_key_stop_no_run_in_which_one_has_it(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"sku":1}\n' * 30 + '{"id":1}\n' + '{"id":null}\n' * 3)
    with Wire(lambda asked: answer(200, b'{"results": [{"id": 1, "status": 201}]}')) as wire:
        made = destination(wire.url, key="id", batching={"size": 50}, outcomes=BY_KEY)
        report = within(60, lambda: haulier.send(made, tmp_path / "in.jsonl", state="state"))
    assert counts(report) == {"delivered": 1, "in_doubt": 33}
    reason = (
        "`id` (`key`) is no attribute of the record, which has sku: nobody can tell which result is its own; write the "
        "attribute that names it"
    )
    assert rows(Path("state"), "select distinct reason from record order by position")[0] == (reason,)


def test_one_record_of_a_stream_says_nothing_of_those_to_come() -> None:
    """It is in doubt by itself; where 20 have no key, they are none of them sent."""
    with Wire(_taken) as wire:
        made = destination(wire.url, key="id", outcomes=BY_KEY)
        with haulier.open_run(made, state="state") as run:
            run.write([{"sku": 1}])
            run.flush()
            run.write(records(3))
        assert run.report is not None
        assert counts(run.report) == {"delivered": 3, "in_doubt": 1}
        sent = len(wire.asked)
        with haulier.open_run(made, state="state") as run:
            run.write([{"sku": 1}] * 20, id="a")
        assert run.report is not None
        assert (run.report.state, counts(run.report), len(wire.asked)) == ("stopped", {"pending": 20}, sent)


def test_all_parts_of_a_batch_are_intended_in_the_commit_that_takes_the_batch_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A crash between two commits would lose the records of a part: the input is not asked for them again."""
    handed_over: list[Commit] = []

    class Heard(Writer):
        def put(self, commit: Commit, run: int | None = None) -> None:
            handed_over.append(commit)
            super().put(commit, run)

    monkeypatch.setattr(sitting, "Writer", Heard)
    # Batches are halved again and again, and windows are as small as they can be: many an end of one falls between.
    with Wire(lambda asked: answer(422 if {at % 32 for at in ids(asked)} & {9} else 200)) as wire:
        report = send(
            wire, records(320), all_or_nothing=True, batching={"size": 8}, limits={"max_in_flight": 1}
        )
    assert counts(report) == {"delivered": 310, "rejected": 10}
    taken_apart = [commit for commit in handed_over for _ in commit.split]
    parts = [sum(row[8] is not None for row in commit.intents) for commit in taken_apart]
    halves = {id(commit): 2 * len(commit.split) for commit in taken_apart}
    assert len(taken_apart) == 10 * 3
    assert parts == [halves[id(commit)] for commit in taken_apart]
