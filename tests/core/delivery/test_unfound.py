"""A setting that reads answers and finds nothing is named with what it looked for and what there is instead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.made import made_request

from haulier.delivery.judging import History, Judging
from haulier.delivery.outcomes import items_of
from haulier.model.answers import Condition, OutcomeMapping
from haulier.model.delivery import Outcomes, Verdict
from haulier.model.pointer import nothing_at
from haulier.model.request import Response, joined

BY_KEY = {"by": "key", "at": "/results", "key": "/id", "status": "/status"}
BY_ERRORS = {"by": "errors", "at": "/errors", "key": "/id", "reason": "/why"}
GOOD = ("delivered", "")


def judged(
    mapping: dict[str, Any], body: Any, records: list[dict[str, Any]], key: str | None = "id"
) -> list[tuple[str, str]]:
    """Kind and reason for each record of a request that was answered 200."""
    texts = joined([json.dumps(record).encode() for record in records])
    request = made_request(positions=range(len(records)), texts=texts)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    rules = Judging(outcomes=OutcomeMapping.model_validate(mapping), key=key)
    found = rules(request, Response(status=200, body=content), resend=False, history=History())
    if isinstance(found, Outcomes):
        return [(verdict.kind, verdict.reason) for verdict in found.verdicts]
    assert isinstance(found, Verdict)
    return [(found.kind, found.reason)] * len(records)


def unknown(reason: str) -> tuple[str, str]:
    return ("unknown", reason)


TWO = [{"id": 1, "sku": "a"}, {"id": 2, "sku": "b"}]
RESULTS = {"took": 3, "results": [{"id": 1, "status": 201}, {"id": 2, "status": 201}]}


def test_a_status_that_no_result_has() -> None:
    said = unknown(
        "nothing stands at `/state` of its result (`outcomes.status`): it has id, status; write the pointer to the "
        "status, or null in `outcomes.delivered` where a result without one was delivered"
    )
    assert judged({**BY_KEY, "status": "/state"}, RESULTS, TWO) == [said, said]


def test_a_key_that_no_result_has() -> None:
    said = unknown(
        "the answer does not speak of this record, nor of any other: nothing stands at `/idd` of a result "
        "(`outcomes.key`): it has id, status; write the pointer to the value of the record's `key`"
    )
    assert judged({**BY_KEY, "key": "/idd"}, RESULTS, TWO) == [said, said]


def test_a_key_that_is_another_value() -> None:
    said = unknown(
        "the answer does not speak of this record, nor of any other: what stands at `/status` of a result "
        "(`outcomes.key`) must be the value of the record's `key`"
    )
    assert judged({**BY_KEY, "key": "/status"}, RESULTS, TWO) == [said, said]


def test_a_place_that_no_result_has() -> None:
    said = unknown(
        "the answer does not speak of this record, nor of any other: nothing stands at `/n` of a result "
        "(`outcomes.index`): it has id, status; write the pointer to a place in the batch, from 0"
    )
    mapping = {"by": "index", "at": "/results", "index": "/n", "status": "/status"}
    assert judged(mapping, RESULTS, TWO) == [said, said]


def test_by_index_results_may_name_their_place() -> None:
    mapping = {"by": "index", "at": "", "index": "/n", "status": "/s"}
    body = [{"n": 1, "s": 422}, {"n": 0, "s": 200}]
    assert judged(mapping, body, TWO) == [GOOD, ("rejected", "the service says 422")]
    answer = Response(status=200, body=json.dumps(body).encode())
    assert items_of(OutcomeMapping.model_validate(mapping), answer, 2, list) == [body[1], body[0]]


@pytest.mark.parametrize("pointer", ["/id", "/idd"])
def test_a_key_that_no_record_has_is_never_that_of_a_result(pointer: str) -> None:
    """Two that are missing are not the same."""
    said = unknown(
        "`idd` (`key`) is no attribute of the record, which has id, sku: nobody can tell which result is its own; "
        "write the attribute that names it"
    )
    assert judged({**BY_KEY, "key": pointer}, RESULTS, TWO, key="idd") == [said, said]


def test_a_record_with_null_for_its_key_is_told_by_itself() -> None:
    records = [{"id": None, "sku": "a"}, {"id": 2, "sku": "b"}]
    body = {"results": [{"id": None, "status": 201}, {"id": 2, "status": 201}]}
    assert judged(BY_KEY, body, records) == [
        unknown(
            "`id` (`key`) is null in the record; it has id, sku: nobody can tell which result is its own; write the "
            "attribute that names it"
        ),
        GOOD,
    ]


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (
            "/result",
            "nothing stands at `/result` (`outcomes.at`), it has took, results; write the pointer to the list",
        ),
        (
            "/took/list",
            "nothing stands at `/took/list` (`outcomes.at`), `/took` is a single value; write the pointer to the list",
        ),
        ("/took", "what stands at `/took` (`outcomes.at`) is none"),
    ],
)
def test_a_list_that_no_answer_has(at: str, said: str) -> None:
    told = unknown(f"the answer holds no list of results, where each record was to have one: {said}")
    assert judged({**BY_KEY, "at": at}, RESULTS, TWO) == [told, told]


@pytest.mark.parametrize(
    ("mapping", "errors", "why"),
    [
        (
            {"key": "/idd"},
            [{"id": 2, "why": "no price"}],
            "lists 1 of 1 failures that name no record of the request, so it may be this one: nothing stands at "
            "`/idd` of a result (`outcomes.key`): it has id, why; write the pointer to the value of the record's `key`",
        ),
        (
            {"index": "/n"},
            [{"n": 2, "why": "counted from 1"}],
            "lists 1 of 1 failures that name no record of the request, so it may be this one: what stands at `/n` of a "
            "result (`outcomes.index`) must be a place in the batch, from 0",
        ),
    ],
)
def test_a_failure_of_which_nobody_can_tell_whose_it_is_delivers_nobody(
    mapping: dict[str, Any], errors: Any, why: str
) -> None:
    told = unknown(f"the answer {why}")
    assert judged({**BY_ERRORS, **mapping}, {"errors": errors}, TWO) == [told, told]


def test_who_is_listed_has_failed_and_the_others_are_in_doubt_beside_a_failure_of_nobody() -> None:
    body = {"errors": [{"id": 1, "why": "no price"}, {"id": 7, "why": "no name"}]}
    rejected, other = judged(BY_ERRORS, body, TWO)
    assert (rejected, other[0]) == (("rejected", "no price"), "unknown")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            {"errors": [{"id": 1}], "took": 3},
            "nothing stands at `/error` (`outcomes.at`), it has errors, took; write the pointer to the list",
        ),
        ({"error": {"id": 1}}, "what stands at `/error` (`outcomes.at`) is none"),
        (b"<html>", "it is no JSON"),
    ],
)
def test_failures_that_stand_elsewhere_deliver_nobody(body: Any, why: str) -> None:
    told = unknown(f"the answer holds no list of failures: {why}")
    assert judged({**BY_ERRORS, "at": "/error"}, body, TWO) == [told, told]


@pytest.mark.parametrize("body", [b"", {}, {"error": None}, {"errors": []}, {"took": [1]}, {"error": []}])
def test_without_failures_all_were_delivered(body: Any) -> None:
    assert judged({**BY_ERRORS, "at": "/error"}, body, TWO) == [GOOD, GOOD]


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("/statuss", "; nothing stands at `/statuss` (`success_when.at`), it has status"),
        ("/status/kind", "; nothing stands at `/status/kind` (`success_when.at`), `/status` has type"),
        ("header:X-Status", "; it has no header X-Status (`success_when.at`)"),
        ("/status/type", ""),
    ],
)
def test_a_condition_that_looks_where_nothing_is(at: str, said: str) -> None:
    body = b'{"status": {"type": "failed"}}'
    rules = Judging(success_when=Condition.model_validate({"at": at, "is": "success"}))
    found = rules(made_request(), Response(status=200, body=body), resend=False, history=History())
    assert found == Verdict("rejected", f'the service answered 200: {{"status": {{"type": "failed"}}}}{said}')


def test_of_many_and_long_names_a_few_are_shown_shortened() -> None:
    value = {"x" * 60: 1, **{f"a{number}": 1 for number in range(11)}}
    assert nothing_at(value, "/b") == f"it has {'x' * 40}..., a0, a1, a2, a3, a4, a5, a6 and 4 more"
    assert [nothing_at(one, "/b") for one in ({}, [1, 2], "t", None, 7)] == [
        "it has nothing",
        "it is a list of 2",
        "it is a text",
        "it is null",
        "it is a single value",
    ]
