"""Outcome mapping: what an answer says of each record; a record not spoken of is unknown, never delivered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from haulier.delivery.outcomes import holds, items_of, map_outcomes, text_at
from haulier.model.answers import Condition, OutcomeMapping
from haulier.model.request import Response


def kinds(
    mapping: dict[str, Any], body: Any, *, count: int, keys: list[Any] | None = None, status: int = 200
) -> Any:
    answer = Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())
    verdicts = map_outcomes(OutcomeMapping.model_validate(mapping), answer, count, lambda: keys or [])
    return None if verdicts is None else [(verdict.kind, verdict.reason) for verdict in verdicts]


UNSPOKEN = ("unknown", "the answer does not speak of this record")
GOOD = ("delivered", "")


def test_by_index_each_result_belongs_to_the_record_at_its_place() -> None:
    body = {"items": [{"s": 201}, {"s": 429, "why": "slow down"}, {"s": 422, "why": "bad"}]}
    found = kinds({"by": "index", "at": "/items", "status": "/s", "reason": "/why"}, body, count=4)
    assert found == [
        GOOD,
        ("retry", "the service says 429: slow down"),
        ("rejected", "the service says 422: bad"),
        UNSPOKEN,
    ]


def test_results_beyond_the_batch_are_of_no_record() -> None:
    assert kinds({"by": "index", "at": "/r", "status": ""}, {"r": [200, 200, 500]}, count=2) == [GOOD, GOOD]


def test_by_key_results_may_come_in_any_order_and_leave_some_out() -> None:
    mapping = {"by": "key", "at": "", "key": "/id", "status": "/ok"}
    body = [{"id": "c", "ok": True}, {"id": 7, "ok": False}, {"id": "nobody", "ok": True}]
    assert kinds(mapping, body, count=3, keys=["a", 7, "c"]) == [
        UNSPOKEN,
        ("rejected", "the service says false"),
        GOOD,
    ]


WHICH = ("unknown", "2 records of the batch have the key 1; the answer does not say which of them it means")
TWICE = ("unknown", "the answer speaks of this record 2 times, and not alike")


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (["ok"], [WHICH, GOOD, WHICH]),
        ([400], [WHICH, GOOD, WHICH]),
        (["ok", "ok", "ok"], [WHICH, GOOD, WHICH]),
        (["ok", 400], [WHICH, GOOD, WHICH]),
        ([429, 400], [WHICH, GOOD, WHICH]),
        (["ok", 201], [GOOD, GOOD, GOOD]),
        ([400, 422], [("rejected", "the service says 400"), GOOD, ("rejected", "the service says 422")]),
        ([429, 503], [("retry", "the service says 429"), GOOD, ("retry", "the service says 503")]),
        ([], [UNSPOKEN, GOOD, UNSPOKEN]),
    ],
)
def test_two_records_of_one_key_are_in_doubt_unless_as_many_results_agree(
    told: list[Any], found: Any
) -> None:
    mapping = {"by": "key", "at": "", "key": "/id", "status": "/ok"}
    body = [{"id": 2, "ok": "ok"}, *[{"id": 1, "ok": one} for one in told]]
    assert kinds(mapping, body, count=3, keys=[1, 2, 1]) == found


@pytest.mark.parametrize(
    ("told", "found"),
    [(1, [WHICH, GOOD, WHICH]), (2, [("rejected", "no"), GOOD, ("rejected", "no")]), (0, [GOOD] * 3)],
)
def test_by_errors_two_records_of_one_key_have_failed_only_where_both_are_listed(
    told: int, found: Any
) -> None:
    mapping = {"by": "errors", "at": "", "key": "/id", "reason": "/why"}
    assert kinds(mapping, [{"id": 1, "why": "no"}] * told, count=3, keys=[1, 2, 1]) == found


@pytest.mark.parametrize(
    ("told", "found"),
    [(["ok", "ok"], GOOD), (["ok", 400], TWICE), ([400, 400], ("rejected", "the service says 400"))],
)
def test_a_record_that_is_spoken_of_twice_is_in_doubt_unless_that_agrees(told: list[Any], found: Any) -> None:
    mapping = {"by": "key", "at": "", "key": "/id", "status": "/ok"}
    assert kinds(mapping, [{"id": 1, "ok": one} for one in told], count=1, keys=[1]) == [found]


def test_what_is_said_of_records_of_one_key_is_told_only_where_it_is_the_same_for_all() -> None:
    mapping = OutcomeMapping.model_validate({"by": "key", "at": "", "key": "/id", "status": "/ok"})
    said = [{"id": one, "ok": ok} for one, ok in [(1, 201), (2, 200), (1, 200), (3, 200), (3, 200), (4, 200)]]
    answer = Response(status=200, body=json.dumps(said).encode())
    assert items_of(mapping, answer, 7, lambda: [1, 1, 2, 3, 3, 4, 4]) == [
        None,
        None,
        said[1],
        said[3],
        said[3],
        None,
        None,
    ]


@pytest.mark.parametrize("body", [{"errors": []}, {}, {"errors": None}])
def test_by_errors_nothing_listed_means_all_delivered(body: Any) -> None:
    assert kinds({"by": "errors", "at": "/errors", "index": "/at"}, body, count=2) == [GOOD, GOOD]


def test_by_errors_only_those_listed_failed() -> None:
    mapping = {"by": "errors", "at": "/errors", "index": "/at", "status": "/code", "reason": "/text"}
    body = {"errors": [{"at": 1, "code": 503, "text": "busy"}, {"at": 2, "text": "no"}]}
    assert kinds(mapping, body, count=3) == [
        GOOD,
        ("retry", "the service says 503: busy"),
        ("rejected", "no"),
    ]


@pytest.mark.parametrize(
    "mapping",
    [
        {"by": "errors", "at": "/errors", "key": "/id", "status": "/code", "reason": "/text"},
        {"by": "errors", "at": "/errors", "index": "/at", "status": "/code", "reason": "/text"},
        {"by": "key", "at": "/errors", "key": "/id", "status": "/code", "reason": "/text"},
    ],
)
def test_of_two_faults_of_one_record_the_one_that_lasts_counts(mapping: Any) -> None:
    """Both say that it was not taken, and to send it again would be of no use."""
    bad, busy = {"code": 422, "text": "no price"}, {"code": 503, "text": "busy"}
    for first, second in [(bad, busy), (busy, bad)]:
        body = {"errors": [{"id": "a", "at": 0, **first}, {"id": "a", "at": 0, **second}]}
        assert kinds(mapping, body, count=1, keys=["a"]) == [("rejected", "the service says 422: no price")]


def test_a_place_that_is_told_twice_and_not_alike_is_in_doubt() -> None:
    mapping = {"by": "key", "at": "/r", "key": "/id", "index": "/at", "status": "/code"}
    body = {"r": [{"at": 0, "code": 200}, {"at": 0, "code": 503}, {"at": 1, "code": 200}]}
    assert kinds(mapping, body, count=2, keys=["a", "b"]) == [TWICE, GOOD]


def test_a_refusal_without_a_list_says_nothing_of_single_records() -> None:
    assert (
        kinds({"by": "errors", "at": "/errors", "index": "/at"}, {"message": "no"}, count=2, status=400)
        is None
    )


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"items": 3}', b"\xff"])
def test_an_answer_without_the_list_is_left_to_the_other_rules(body: bytes) -> None:
    assert kinds({"by": "index", "at": "/items", "status": "/s"}, body, count=1) is None


def test_words_and_lists_of_the_destination_stand_before_the_usual_ones() -> None:
    mapping = {"by": "index", "at": "", "status": "", "delivered": ["stored", 409], "retry": ["later"]}
    assert [kind for kind, _ in kinds(mapping, ["Stored", 409, "later", 200], count=4)] == [
        "delivered",
        "delivered",
        "retry",
        "rejected",
    ]


def test_without_a_status_a_reason_tells_failures() -> None:
    mapping = {"by": "index", "at": "", "reason": "/error"}
    assert kinds(mapping, [{"error": None}, {"error": "full"}, {}], count=3) == [
        GOOD,
        ("rejected", "full"),
        GOOD,
    ]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"by": "key", "at": ""}, "`by: key` needs `key`"),
        ({"by": "errors", "at": ""}, "`by: errors` needs `index` or `key`"),
        ({"by": "index", "at": "x"}, "at\n.*must be a JSON pointer"),
    ],
)
def test_a_mapping_that_can_find_no_record_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        OutcomeMapping.model_validate(wrong)


def test_conditions_and_reasons_are_read_from_body_and_header() -> None:
    answer = Response(
        status=200, headers=(("x-state", "OK"),), body=b'{"status":{"type":"error","text":"no such"}}'
    )
    assert holds(Condition.model_validate({"at": "header:X-State", "is": ["ok", "fine"]}), answer)
    assert not holds(Condition.model_validate({"at": "/status/type", "is": "success"}), answer)
    assert not holds(Condition.model_validate({"at": "/gone", "is": "success"}), answer)
    assert text_at("/status/text", answer) == "no such"
    assert text_at("header:gone", answer) == ""


def test_null_among_the_delivered_means_a_result_without_a_status() -> None:
    mapping = {"by": "index", "at": "", "status": "/error", "reason": "/why", "delivered": [None]}
    body = [{"id": 1}, {"error": "conflict", "why": "is there"}, None]
    assert kinds(mapping, body, count=3) == [
        GOOD,
        ("rejected", "the service says conflict: is there"),
        UNSPOKEN,
    ]


@pytest.mark.parametrize(
    ("body", "held"),
    [(b'{"data":{}}', True), (b'{"errors":[{}]}', False), (b'{"errors":null}', True), (b"", None)],
)
def test_what_must_be_absent_is_absent_or_null_in_a_body_of_json(body: bytes, held: bool | None) -> None:
    condition = Condition.model_validate({"at": "/errors", "absent": True})
    assert holds(condition, Response(status=200, body=body)) is held


@pytest.mark.parametrize("written", [{"at": "/a"}, {"at": "/a", "is": 1, "absent": True}])
def test_a_condition_says_what_must_stand_there_or_that_nothing_may(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="write either `is`"):
        Condition.model_validate(written)
