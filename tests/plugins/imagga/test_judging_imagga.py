"""What Imagga's answers mean; None leaves an answer to the default rules."""

from __future__ import annotations

import json

import pytest
from msgspec import structs
from tests.made import made_request

from haulier.delivery.judging import History, Judging
from haulier.io.destinations import destination_from
from haulier.model.delivery import Stop, Verdict
from haulier.model.request import Response
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve
from haulier_imagga import TEMPLATES
from haulier_imagga.answers import judge, judge_delete, judge_job, judge_picture

REQUEST = made_request("https://api.imagga.com/v2/tags")
BY_NAME = {template.name: template for template in TEMPLATES}


def answer(status: int, kind: str = "error", text: str = "", *headers: tuple[str, str]) -> Response:
    """An envelope as Imagga sends it."""
    body: dict[str, object] = {"status": {"type": kind, "text": text}}
    if kind == "success":
        body["result"] = {"tags": []}
    return Response(status=status, headers=headers, body=json.dumps(body).encode())


def test_a_success_is_left_to_the_default_rules() -> None:
    assert judge(REQUEST, answer(200, "success")) is None


def test_an_error_inside_a_success_is_rejected_with_its_text() -> None:
    assert judge(REQUEST, answer(200, "error", "no image")) == Verdict(
        "rejected", "Imagga answered 200, but says: no image"
    )


def test_the_status_is_also_found_inside_the_result() -> None:
    body = b'{"result": {"status": {"type": "error", "text": "index\\n not  trained"}}}'
    assert judge(REQUEST, Response(status=200, body=body)) == Verdict(
        "rejected", "Imagga answered 200, but says: index not trained"
    )


def test_a_400_is_rejected_with_the_recorded_text() -> None:
    text = "Unexpected error while running the classification job."
    assert judge(REQUEST, answer(400, "error", text)) == Verdict("rejected", f"Imagga answered 400: {text}")


def test_a_403_stops_the_run_and_says_when_to_come_back() -> None:
    quota = (("monthly-limit-remaining", "0"), ("monthly-limit-reset", "1722470400"))
    assert judge(REQUEST, answer(403, "error", "limit reached.", *quota)) == Stop(
        "Imagga answered 403: limit reached. A limit of the subscription was reached, or the plan does not "
        "cover this call; requests left this month: 0, new ones from 2024-08-01 00:00 UTC. "
        "Run again after that, or write "
        "`verdicts: {403: retry}` where it comes from bursts"
    )


@pytest.mark.parametrize("reset", ["", "soon", "-1", "9" * 40, "²"])
def test_a_reset_that_is_no_time_is_left_out(reset: str) -> None:
    assert judge(REQUEST, answer(403, "error", "limit", ("monthly-limit-reset", reset))) == Stop(
        "Imagga answered 403: limit. A limit of the subscription was reached, or the plan does not cover this call. "
        "Run again after that, or write `verdicts: {403: retry}` where it comes from bursts"
    )


def test_a_destination_may_have_403_tried_again() -> None:
    judging = Judging(verdicts={403: "retry"}, judge=judge, answers_json=True)
    said = judging(REQUEST, answer(403, "error", "slow down"), resend=False, history=History())
    assert isinstance(said, Verdict)
    assert said.kind == "retry"


def test_a_429_waits_a_second_unless_the_service_says_how_long() -> None:
    assert judge(REQUEST, answer(429, "error", "slow")) == Verdict(
        "retry", "Imagga answered 429 (limit of the plan): slow", 1.0
    )
    assert judge(REQUEST, answer(429, "error", "slow", ("retry-after", "7"))) is None


@pytest.mark.parametrize("status", [401, 408, 500, 503])
def test_what_the_default_rules_know_is_left_to_them(status: int) -> None:
    assert judge(REQUEST, answer(status, "error", "x")) is None


def test_an_expired_upload_is_rejected() -> None:
    assert judge(REQUEST, answer(410, "error", "gone")) == Verdict(
        "rejected", "Imagga answered 410: upload or ticket is no longer there. gone"
    )


def test_deleting_what_is_gone_counts_as_delivered() -> None:
    for status in (410, 404):
        assert judge_delete(REQUEST, answer(status, "error", "gone")) == Verdict(
            "delivered", f"already gone (answered {status})"
        )


def test_a_404_below_another_path_than_the_documented_leaves_open_what_is_not_there() -> None:
    behind = structs.replace(REQUEST, url="https://gateway.example.com/images/v2/uploads/i05e")
    assert judge_delete(behind, answer(404, "error", "Not Found")) == Verdict(
        "unknown",
        "Imagga answered 404 at /images/v2/uploads/i05e, which does not begin with /v2/: either it is gone already, "
        "or there is no such address and nothing was deleted. Look at `base_url`; where that is right, write "
        "`verdicts: {404: delivered}`",
    )
    assert judge_delete(behind, answer(410, "error", "expired")) == Verdict(
        "delivered", "already gone (answered 410)"
    )


def test_a_404_that_imagga_did_not_write_does_not_count_as_gone() -> None:
    assert judge_delete(REQUEST, Response(status=404, body=b"<html>not found</html>")) is None


def test_a_job_is_accepted_with_its_ticket() -> None:
    body = b'{"result": {"ticket_id": "abc"}, "status": {"type": "success", "text": ""}}'
    template = BY_NAME["group-faces"]
    judging = Judging(judge=template.judge, answers_json=True, ticket=template.ticket)
    said = judging(REQUEST, Response(status=200, body=body), resend=False, history=History())
    assert said == Verdict("accepted", ticket="abc")


def test_a_job_without_a_ticket_is_unknown() -> None:
    assert judge_job(REQUEST, answer(200, "success")) == Verdict(
        "unknown", "Imagga answered 200 without a ticket_id"
    )
    assert judge_job(REQUEST, answer(200, "error", "too few")) == Verdict(
        "rejected", "Imagga answered 200, but says: too few"
    )


def test_every_call_has_a_judge() -> None:
    assert [one.name for one in TEMPLATES if one.judge is None] == []


@pytest.mark.parametrize("body", [b'{"status": 7}', b'{"status": {"type": ["error"]}}', b"<html>"])
def test_what_is_no_envelope_is_left_to_the_default_rules(body: bytes) -> None:
    assert judge(REQUEST, Response(status=200, body=body)) is None


@pytest.mark.parametrize(
    ("body", "what"),
    [(b"", "nothing"), *((body, "something else") for body in (b"{", b"\xff\0", b"[]", b"1", b'"ok"'))],
)
def test_a_success_that_holds_no_answer_is_in_doubt(body: bytes, what: str) -> None:
    assert judge(REQUEST, Response(status=200, body=body)) == Verdict(
        "unknown", f"Imagga answered 200 with {what} where a JSON object was expected"
    )


def test_a_deletion_needs_no_answer_but_its_status() -> None:
    assert judge_delete(REQUEST, Response(status=204)) is None


PNG = Response(status=200, headers=(("content-type", "image/png"),), body=b"\x89PNG\r\n")


def test_a_status_that_is_no_success_is_rejected_by_its_name() -> None:
    assert judge(REQUEST, answer(200, "pending")) == Verdict(
        "rejected", "Imagga answered 200, but says: pending"
    )


def test_a_picture_where_json_was_expected_is_in_doubt() -> None:
    assert judge(REQUEST, PNG) == Verdict(
        "unknown", "Imagga answered 200 with a picture where a JSON object was expected"
    )


def test_a_picture_that_was_asked_for_is_left_to_the_default_rules() -> None:
    assert judge_picture(REQUEST, PNG) is None


def test_json_where_a_picture_was_expected_is_no_delivery() -> None:
    assert judge_picture(REQUEST, answer(200, "success")) == Verdict(
        "unknown", "Imagga answered 200 with JSON where a picture was expected"
    )
    assert judge_picture(REQUEST, answer(200, "error", "no object")) == Verdict(
        "rejected", "Imagga answered 200, but says: no object"
    )
    assert judge_picture(REQUEST, answer(400, "error", "no")) == Verdict(
        "rejected", "Imagga answered 400: no"
    )


@pytest.mark.parametrize(
    ("answered", "what"),
    [
        (Response(status=200), "nothing"),
        (Response(status=200, headers=(("content-type", "image/png"),)), "nothing"),
        (
            Response(status=200, headers=(("content-type", "Text/Plain; charset=utf-8"),), body=b"ok"),
            "text/plain",
        ),
        (
            Response(status=200, headers=(("content-type", "application/xml"),), body=b"<ok/>"),
            "application/xml",
        ),
    ],
)
def test_what_is_no_picture_is_in_doubt_where_one_was_expected(answered: Response, what: str) -> None:
    destination = destination_from(
        {
            "name": "cut",
            "connector": "imagga",
            "endpoint": "cut-image",
            "params": {"image_url": "{record.url}"},
            "save_body": "out",
        }
    )
    judging = resolve(destination, load_registry()).judging()
    assert judging(REQUEST, answered, resend=False, history=History()) == Verdict(
        "unknown", f"answered 200 with {what} where a file was expected"
    )
    assert judging(REQUEST, PNG, resend=False, history=History()) == Verdict("delivered")
