"""What is wrong with a destination is said before the first record, with its place, its value and the way out."""

from __future__ import annotations

from typing import Any

import pytest

import haulier
from haulier.errors import ConfigurationError

URL = "http://127.0.0.1:9/x"
HAND: dict[str, Any] = {"name": "d", "request": {"method": "POST", "url": URL}}
TAG: dict[str, Any] = {
    "name": "d",
    "connector": "imagga",
    "endpoint": "tag-image",
    "params": {"image_url": "{record.u}"},
}


def by_hand(**request: Any) -> dict[str, Any]:
    return {"name": "d", "request": {"method": "POST", "url": URL, **request}}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "connector": ({**TAG, "connector": "imaga"}, r"imaga.*imagga"),
    "endpoint": ({**TAG, "endpoint": "tag-imag"}, r"tag-imag.*tag-image"),
    "parameter": ({**TAG, "params": {"image_urll": "x"}}, r"params\.image_urll.*image_url"),
    "parameter missing": ({**TAG, "params": {}}, r"image_url"),
    "two of one": (
        {**TAG, "params": {"image_url": "a", "image_upload_id": "b"}},
        r"exactly one of.*image_url",
    ),
    "both ways": ({**TAG, "request": {"url": URL}}, r"one of the two"),
    "neither way": ({"name": "d"}, r"one of the two"),
    "grouping": ({**HAND, "batching": {"grouping": "propery"}}, r"propery.*property"),
    "grouping setting": (
        {**HAND, "batching": {"grouping": {"name": "property", "property_nam": "x"}}},
        r"property_name",
    ),
    "other props": (
        {**HAND, "batching": {"grouping": {"name": "property", "property_name": "x", "other_props": "{"}}},
        r"other_props is no JSON",
    ),
    "other props clash": (
        {
            **HAND,
            "batching": {"grouping": {"name": "property", "property_name": "x", "other_props": {"x": 1}}},
        },
        r"x",
    ),
    "size": ({**HAND, "batching": {"size": 0}}, r"size"),
    "results by key without one": (
        {**HAND, "outcomes": {"by": "key", "at": "/r", "key": "/id"}},
        r"outcomes: a result names its record by its key, so write `key`",
    ),
    "errors by key without one": (
        {**HAND, "outcomes": {"by": "errors", "at": "/r", "key": "/id"}},
        r"outcomes: a result names its record by its key, so write `key`",
    ),
    "an empty key": ({**HAND, "key": ""}, r"`key` is \"\" and must have at least 1 character"),
    "encoder": (by_hand(content_format="jsn"), r"jsn.*json"),
    "batches in a form": (
        {**by_hand(content_format="form"), "batching": True},
        r"form cannot carry batches.*json",
    ),
    "batches in a GET": (
        {**by_hand(method="GET"), "batching": True},
        r"batching: records travel together in a body only; send them with POST, PUT or PATCH$",
    ),
    "batches whose records stay out of the body": (
        {**by_hand(attributes="none", body={"a": "b"}), "batching": {"size": 50}},
        r"batching: records travel together in a body only, and `request\.attributes: none` keeps them out of it; "
        r"leave out that line, or batching$",
    ),
    "body of a GET": (by_hand(method="GET", body={"a": 1}), r"a GET has no body"),
    "attributes of a DELETE": (by_hand(method="DELETE", attributes="body"), r"a DELETE has no body"),
    "file in JSON": (
        {**by_hand(files={"f": "{record.f}"}), "files_root": "."},
        r"f is a file, which the content format json cannot carry; use bytes, multipart",
    ),
    "no files_root": (by_hand(content_format="multipart", files={"f": "{record.f}"}), r"files_root"),
    "record in a batch's value": (
        {
            **by_hand(body={"a": "{record.a}"}),
            "batching": {"grouping": {"name": "property", "property_name": "x"}},
        },
        r"cannot come from a record",
    ),
    "steering host": (by_hand(url="http://{record.host}/x"), r"host"),
    "steering scheme": (by_hand(url="{record.url}"), r"."),
    "no URL": (by_hand(url="ftp://127.0.0.1/x"), r"http"),
    "user in URL": (by_hand(url="http://me:pw@127.0.0.1/x"), r"credential|user"),
    "dots in path": (by_hand(url="http://127.0.0.1/a/../b"), r"\.\."),
    "expression": (by_hand(url=URL + "/{record.}"), r"\{record\.\}|record"),
    "environment": (by_hand(url=URL + "/{env.HOME}"), r"env"),
    "header without colon": (by_hand(headers="abc"), r"abc"),
    "header with a break": (by_hand(headers={"x-a": "b\r\nx-c: d"}), r"x-a"),
    "header twice": ({**by_hand(headers="x-a:1"), "headers": "X-A:2"}, r"x-a stands in"),
    "authorization": (by_hand(headers="authorization:Bearer x"), r"credential"),
    "output": ({**HAND, "outputs": [{"to": "jsonnl"}]}, r"jsonnl.*jsonl"),
    "output setting": ({**HAND, "outputs": [{"to": "jsonl", "path": "x", "colour": 1}]}, r"colour"),
    "output without path": ({**HAND, "outputs": [{"to": "jsonl"}]}, r"path"),
    "limits": ({**HAND, "limits": {"max_in_flight": 0}}, r"max_in_flight"),
    "unknown setting": ({**HAND, "exclud": ["a"]}, r"exclud.*exclude"),
    "name": ({**HAND, "name": "No Spaces"}, r"name"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_it_is_refused_with_words_by_everything_that_takes_a_destination(kind: str) -> None:
    wrong, words = WRONG[kind]
    with pytest.raises(ConfigurationError, match=f"(?s){words}") as refused:
        haulier.preview(wrong, [{"a": 1}])
    assert len(str(refused.value)) < 600
    for use in (
        lambda: haulier.plan(wrong, [{"a": 1}]),
        lambda: haulier.send(wrong, [{"a": 1}], state="state"),
        lambda: haulier.open_run(wrong, state="state"),
        lambda: haulier.test_send(wrong, [{"a": 1}]),
    ):
        with pytest.raises(ConfigurationError):
            use()


def test_a_secret_beside_a_mistake_stays_out_of_the_message() -> None:
    with pytest.raises(ConfigurationError) as refused:
        haulier.preview({**HAND, "headers": {"x-api-key": "s3cr3t-of-mine", "x-b": 7}}, [{}])
    assert "s3cr3t-of-mine" not in str(refused.value)


def test_check_tells_and_raises_nothing() -> None:
    assert haulier.check(HAND).ok
    found = haulier.check({**TAG, "endpoint": "tag-imag"})
    assert (found.ok, len(found.problems)) == (False, 1)
    assert "needs a credential" in " ".join(haulier.check(TAG).problems)


def test_preview_opens_no_socket_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, folder: Any) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    shown = haulier.preview({"name": "d", "request": {"url": "http://no-such-host.invalid/"}}, [{"a": 1}])
    assert len(shown.samples) == 1
    assert list(folder.iterdir()) == []


def test_a_sample_beyond_the_plan_says_how_many_there_are() -> None:
    with pytest.raises(ConfigurationError, match="there is no sample 7: these records make 2 requests"):
        haulier.test_send(HAND, [{"a": 1}, {"a": 2}], sample=7)


def test_plan_counts_what_a_run_would_send() -> None:
    made = {**HAND, "batching": {"size": 4}, "limits": {"requests_per_second": 2.0}}
    planned = haulier.plan(made, [b'{"a":1}'] * 9 + [b"["])
    assert (planned.records, planned.requests, planned.rejected, planned.seconds) == (10, 3, 1, 1.0)
    assert planned.bytes == 9 * 7 + 3 * 2 + 6
    assert planned.largest_bytes == 4 * 7 + 2 + 3


@pytest.mark.parametrize(
    ("written", "warned"),
    [
        ({"all_or_nothing": True}, True),
        ({"all_or_nothing": True, "batching": {"size": 4}}, False),
        ({"all_or_nothing": False}, False),
        ({}, False),
    ],
)
def test_all_or_nothing_without_batches_is_warned_of(written: dict[str, Any], warned: bool) -> None:
    told = (
        "`all_or_nothing` says nothing here: it halves a batch that is refused, and no batches are made; write "
        "`batching`, or take it out"
    )
    assert haulier.check({**HAND, **written}).warnings == ((told,) if warned else ())


@pytest.mark.parametrize("verdicts", [{200: "retry"}, {200: "rejected"}, {202: "retry", 404: "retry"}])
def test_a_success_that_is_always_asked_for_again_is_warned_of(verdicts: dict[int, str]) -> None:
    warned = [
        one for one in haulier.check({**HAND, "verdicts": verdicts}).warnings if one.startswith("`verdicts`")
    ]
    told = (
        "`verdicts` has a 200 tried again until all attempts are spent: `success_when` tells by what an answer says "
        "whether it is a success"
    )
    assert warned == ([told] if verdicts.get(200) == "retry" else [])
