"""The line an output gets: who it was, what became of it, what was sent, and what the answer says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from tests.core.runs.carrying import destination, within
from tests.core.runs.wire import Wire, answer

import haulier
from haulier.model.delivery import State
from haulier.model.request import Request, Response
from haulier.runs.book import Delivered
from haulier.runs.joining import Joining


def told(*records: bytes, body: bytes = b"", state: State = State.DELIVERED, **more: Any) -> Delivered:
    request = Request(
        number=3,
        positions=range(5, 5 + len(records)),
        method="POST",
        url="http://127.0.0.1/",
        headers=(),
        body=b"",
        length=0,
        sha256=b"",
        records=records,
    )
    values: dict[str, Any] = {"reason": "", "ticket": "", "status": 200, "attempts": 1, **more}
    response = Response(status=200, body=body) if values["status"] else None
    return Delivered(
        number=3, positions=request.positions, state=state, response=response, request=request, **values
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
    return [json.loads(line) for line in Joining(**values).lines(one)]


def test_a_record_alone_carries_its_key_what_was_sent_and_what_was_taken() -> None:
    one = told(b'{"id":"a","x":1.10,"hidden":"no"}', body=b'{"result":{"upload_id":"u1","other":2}}')
    assert lines(one, takes={"upload_id": "/result/upload_id", "none": "/result/none"}) == [
        {
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
    (line,) = Joining(run_id="r", key=None, takes={}, sent=lambda name: True, single=True).lines(
        told(b'{"a":12345678901234567890123,"b":1.10,"c":1e999}')
    )
    assert b'"record":{"a":12345678901234567890123,"b":1.10,"c":1e999}' in line


def test_an_answer_that_is_no_json_takes_nothing_and_breaks_nothing() -> None:
    for body in (b"", b"<html>", b"\xff", b"[" * 100_000, b"null", b"[1]", b'{"result":"text"}'):
        (line,) = lines(told(b'{"id":1}', body=body), takes={"t": "/result/upload_id"})
        assert "t" not in line


def test_an_unanswered_one_says_why() -> None:
    (line,) = lines(told(b'{"id":1}', status=None, state=State.IN_DOUBT, reason="nobody answered"))
    assert (line["state"], line["status"], line["reason"]) == ("in_doubt", None, "nobody answered")


def test_lines_of_a_run_are_records_for_the_next_destination(folder: Path) -> None:
    with Wire(lambda asked: answer(200, b'{"ok":true}')) as wire:
        made = destination(
            wire.url, key="id", exclude=["hidden"], outputs=[{"to": "jsonl", "path": "out.jsonl"}]
        )
        within(
            10,
            lambda: haulier.send(made, [{"id": number, "hidden": 1} for number in range(20)], state="state"),
        )
        found = [msgspec.json.decode(line) for line in (folder / "out.jsonl").read_bytes().splitlines()]
        assert sorted(line["key"] for line in found) == list(range(20))
        assert all(line["record"] == {"id": line["key"]} for line in found)
        again = destination(wire.url, target="/{record.key}", name="next")
        assert within(10, lambda: haulier.send(again, "out.jsonl", state="state")).delivered == 20
