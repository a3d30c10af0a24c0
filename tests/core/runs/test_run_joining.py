"""The line an output gets: who it was, what became of it, what was sent, and what the answer says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from tests.core.runs.carrying import destination, within
from tests.core.runs.wire import Wire, answer
from tests.made import made_request

import haulier
from haulier.io.ledger.rows import Unsettled
from haulier.model.block import RejectedRecord
from haulier.model.delivery import State
from haulier.model.request import Response, joined
from haulier.runs.driving.delivered import Delivered
from haulier.runs.outputs.joining import Joining, Lines


def told(*records: bytes, body: bytes = b"", state: State = State.DELIVERED, **more: Any) -> Delivered:
    positions = range(5, 5 + len(records))
    request = made_request(method="POST", number=3, positions=positions, texts=joined(records))
    values: dict[str, Any] = {"reason": "", "ticket": "", "status": 200, "attempts": 1, **more}
    response = Response(status=200, body=body) if values["status"] else None
    return Delivered(
        number=3,
        positions=request.positions,
        records=request.records,
        state=state,
        response=response,
        request=request,
        **values,
    )


def lines(one: Delivered, **more: Any) -> list[Any]:
    values: dict[str, Any] = {
        "run_id": "r",
        "key": "id",
        "takes": {},
        "sent": lambda name: name != "hidden",
        "single": True,
        **more,
    }
    return [json.loads(Joining(**values).settled(one))]


def test_a_record_alone_carries_its_key_what_was_sent_and_what_was_taken() -> None:
    one = told(b'{"id":"a","x":1.10,"hidden":"no"}', body=b'{"result":{"upload_id":"u1","other":2}}')
    assert lines(one, takes={"upload_id": "/result/upload_id", "none": "/result/none"}) == [
        {
            "id": "r:3",
            "run": "r",
            "request": 3,
            "positions": [5],
            "key": "a",
            "state": "delivered",
            "status": 200,
            "attempts": 1,
            "upload_id": "u1",
            "record": {"id": "a", "x": 1.10},
        }
    ]


def test_a_batch_carries_the_keys_of_all() -> None:
    one = told(b'{"id":"a"}', b'{"x":1}', b'{"id":null}')
    (line,) = lines(one, single=False)
    assert (line["positions"], line["keys"]) == ([5, 6, 7], ["a", None, None])
    assert line["records"] == [{"id": "a"}, {"x": 1}, {"id": None}]


def test_what_is_excluded_comes_only_where_the_output_asks_for_it() -> None:
    (line,) = lines(told(b'{"id":1,"hidden":2}'), include=frozenset({"hidden"}))
    assert line["record"] == {"id": 1, "hidden": 2}


def test_numbers_keep_their_text() -> None:
    line = Joining(run_id="r", key=None, takes={}, sent=lambda name: True, single=True, answer=True).settled(
        told(b'{"a":12345678901234567890123,"b":1.10,"c":1e999}', body=b'{\n"n": 1.10, "t":"\\n"}')
    )
    assert line == (
        b'{"id":"r:3","run":"r","request":3,"positions":[5],"key":null,"state":"delivered","status":200,"attempts":1,'
        b'"answer":{"headers":{},"body":{"n":1.10,"t":"\\n"}},'
        b'"record":{"a":12345678901234567890123,"b":1.10,"c":1e999}}'
    )


def test_an_answer_that_is_no_json_takes_nothing_and_breaks_nothing() -> None:
    for body in (b"", b"<html>", b"\xff", b"[" * 100_000, b"null", b"[1]", b'{"result":"text"}'):
        (line,) = lines(told(b'{"id":1}', body=body), takes={"t": "/result/upload_id"})
        assert line == {
            "id": "r:3",
            "run": "r",
            "request": 3,
            "positions": [5],
            "key": 1,
            "state": "delivered",
            "status": 200,
            "attempts": 1,
            "record": {"id": 1},
        }


def test_an_unanswered_one_says_why() -> None:
    (line,) = lines(told(b'{"id":1}', status=None, state=State.IN_DOUBT, reason="nobody answered"))
    assert (line["state"], line["status"], line["reason"]) == ("in_doubt", None, "nobody answered")


def test_the_whole_answer_comes_where_it_is_asked_for() -> None:
    headers = (("content-type", "text/html"), ("set-cookie", "s=1"), ("x-ratelimit-remaining", "7"))
    (line,) = lines(told(b'{"id":1}', body=b"<p>\xff"), answer=True)
    assert line["answer"] == {"headers": {}, "text": "<p>\ufffd"}
    one = told(b'{"id":1}')
    with_headers = msgspec.structs.replace(one, response=Response(status=200, headers=headers, body=b""))
    (line,) = lines(with_headers, answer=True)
    assert line["answer"] == {"headers": {"content-type": "text/html", "x-ratelimit-remaining": "7"}}
    (line,) = lines(told(b'{"id":1}', body=b"x" * 100_000), answer=True)
    assert (len(line["answer"]["text"]), line["answer"]["cut"]) == (65_536, True)


def test_what_an_answer_holds_never_stands_in_for_what_the_ledger_says() -> None:
    (line,) = lines(told(b'{"id":1}', body=b'{"x":"delivered"}', state=State.REJECTED), takes={"state": "/x"})
    assert line["state"] == "rejected"


def test_a_group_of_a_request_has_an_id_of_its_own() -> None:
    one = told(b'{"id":1}', b'{"id":2}', b'{"id":3}')
    part = msgspec.structs.replace(one, positions=[6, 7], records=one.records[1:])
    (line,) = lines(part, single=False)
    assert (line["id"], line["positions"], line["keys"]) == ("r:3.6", [6, 7], [2, 3])


def test_a_record_that_never_became_a_request_has_a_line_with_what_is_known_of_it() -> None:
    joining = Joining(run_id="r", key="id", takes={}, sent=lambda name: name != "hidden", single=True)
    common = {"run": "r", "request": None, "state": "rejected", "status": None, "attempts": 0}
    whole = joining.unsent(RejectedRecord(position=8, reason="no url", line=b'{"id":"a","hidden":1,"x":[1]}'))
    assert json.loads(whole) == {
        **common,
        "id": "r:record-8",
        "positions": [8],
        "key": "a",
        "reason": "no url",
        "record": {"id": "a", "x": [1]},
    }
    torn = joining.unsent(RejectedRecord(position=9, reason="not JSON", line=b'{"id":\xff'))
    assert json.loads(torn) == {
        **common,
        "id": "r:record-9",
        "positions": [9],
        "key": None,
        "reason": "not JSON",
        "text": '{"id":\ufffd',
    }
    batched = msgspec.structs.replace(joining, single=False)
    assert json.loads(batched.unsent(RejectedRecord(position=8, reason="", line=b'{"id":"a"}')))["keys"] == [
        "a"
    ]


def test_a_request_that_cannot_be_made_again_has_a_line() -> None:
    left = Unsettled(
        number=4,
        positions=range(2),
        sha256=b"",
        key="",
        state=State.SENDING,
        attempts=1,
        status=None,
        stored=None,
    )
    joining = Joining(run_id="r", key="id", takes={}, sent=lambda name: True, single=False)
    assert json.loads(joining.parked(left, "gone", ())) == {
        "id": "r:4",
        "run": "r",
        "request": 4,
        "positions": [0, 1],
        "state": "in_doubt",
        "status": None,
        "attempts": 1,
        "reason": "gone",
    }
    known = json.loads(joining.parked(left, "gone", [b'{"id":7}', b'{"x":1}']))
    assert (known["keys"], known["records"]) == ([7, None], [{"id": 7}, {"x": 1}])


def test_outputs_that_wish_the_same_share_a_line() -> None:
    plain = Joining(run_id="r", key=None, takes={}, sent=lambda name: name == "id", single=True)
    more = msgspec.structs.replace(plain, include=frozenset({"x"}))
    made = Lines([plain, more, plain]).settled(told(b'{"id":1,"x":2}'))
    assert [(outputs, json.loads(line)["record"]) for outputs, line in made] == [
        ([0, 2], {"id": 1}),
        ([1], {"id": 1, "x": 2}),
    ]


def test_lines_of_a_run_are_records_for_the_next_destination(folder: Path) -> None:
    with Wire(lambda asked: answer(200, b'{"ok":true}')) as wire:
        made = destination(
            wire.url, key="id", exclude=["hidden"], outputs=[{"to": "jsonl", "path": "out.jsonl"}]
        )
        within(
            60,
            lambda: haulier.send(made, [{"id": number, "hidden": 1} for number in range(20)], state="state"),
        )
        found = [msgspec.json.decode(line) for line in (folder / "out.jsonl").read_bytes().splitlines()]
        assert sorted(line["key"] for line in found) == list(range(20))
        assert all(line["record"] == {"id": line["key"]} for line in found)
        again = destination(wire.url, target="/{record.key}", name="next")
        assert within(60, lambda: haulier.send(again, "out.jsonl", state="state")).delivered == 20
