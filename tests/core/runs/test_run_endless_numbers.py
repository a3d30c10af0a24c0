"""A number that Python cannot hold goes its whole way as its own text, and harms no record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.runs.carrying import destination
from tests.core.runs.wire import Wire, answer
from tests.made import made_request

import haulier
from haulier.io.saving import SavedBodies
from haulier.model.column import Fault, values_at
from haulier.model.json_value import as_text, decoded
from haulier.model.pointer import look_up
from haulier.model.request import Response, joined
from haulier.runs.reports.history import dead_letters

LONG = "7" * 5_000
NUMBERS = ["1e400", "-1e999", LONG, f"{LONG}.5"]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_that_python_cannot_hold_are_encoded_as_the_text_they_have(number: str) -> None:
    text = f'{{"a":[{number},1.5,7],"b":null}}'
    found = decoded(text.encode())
    assert (as_text(found), found["a"][1:]) == (text, [1.5, 7])
    assert as_text(look_up(text.encode(), "/a/0")) == number


@pytest.mark.parametrize(
    "text", [b"[1e400,NaN]", b'[1e400,"\\ud800"]', b"[1e400", b"[1e400]x", b'[1e400,"\xff"]']
)
def test_such_a_number_makes_no_json_of_what_is_none(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's and Python's errors have only this in common
        decoded(text)
    assert look_up(text, "/0") is None


def carry(records: Sequence[bytes], outputs: Sequence[dict[str, Any]], **settings: Any) -> haulier.Report:
    """What comes of records at a service that answers with a number beyond double."""
    with Wire(lambda asked: answer(200, b'{"seen":1e400}')) as wire:
        return haulier.send(destination(wire.url, key="id", outputs=outputs, **settings), records)


@pytest.mark.parametrize("number", NUMBERS)
def test_outputs_get_such_a_key_as_its_own_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outputs = [
        {"to": "csv", "path": "out.csv", "columns": ["key", "state", "n"]},
        {"to": "jsonl", "path": "some.jsonl", "when": {"at": "/key", "is": number}, "answer": True},
    ]
    report = carry([f'{{"id":{number},"n":{{"m":{number}}}}}'.encode(), b'{"id":2,"n":3}'], outputs)
    assert (report.state, report.delivered) == ("finished", 2)
    assert sorted(Path("out.csv").read_text().splitlines()) == sorted(
        ["key,state,n", f'{number},delivered,"{{""m"":{number}}}"', "2,delivered,3"]
    )
    (line,) = Path("some.jsonl").read_text().splitlines()
    assert f'"key":{number},' in line
    assert f'"record":{{"id":{number},"n":{{"m":{number}}}}}' in line
    assert '"body":{"seen":1e400}' in line


@pytest.mark.parametrize("number", NUMBERS)
def test_a_saved_answer_is_named_after_such_a_key(tmp_path: Path, number: str) -> None:
    request = made_request(texts=joined([f'{{"id":{number}}}'.encode()]))
    response = Response(status=200, headers=(("content-type", "image/png"),), body=b"png")
    saved = SavedBodies(tmp_path, "out", "0" * 64, "id")
    assert saved.path_of(request, response) == f"out/{'0' * 12}/000000-{number[:80]}.png"


def test_a_chain_hands_such_a_number_of_an_answer_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Wire(lambda asked: answer(200, b'{"list":[{"n":1e400}]}')) as wire:
        request = {"method": "POST", "url": f"{wire.url}/x"}
        chain = {
            "name": "d",
            "stages": [
                {"name": "one", "request": request},
                {"name": "two", "request": request, "each": "/list", "include": ["one"]},
            ],
            "outputs": [{"to": "jsonl", "path": "out.jsonl", "when": {"at": "/record/a", "is": 1}}],
        }
        report = haulier.send(chain, [b'{"a":1,"b":1e400}'])
    assert (report.state, report.delivered) == ("finished", 2)
    assert [asked.body for asked in wire.asked] == [b'{"a":1,"b":1e400}', b'{"one":{"n":1e400}}']
    assert len(Path("out.jsonl").read_text().splitlines()) == 1


def test_requests_of_one_such_key_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [f'{{"id":1e400,"n":{number}}}'.encode() for number in range(5)]
    with Wire() as wire:
        report = haulier.send(destination(wire.url, key="id", order="key"), texts)
    assert (report.state, report.delivered) == ("finished", 5)
    assert [asked.body for asked in wire.asked] == texts


def test_outcomes_by_key_find_the_record_of_such_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("haulier.yaml").write_text("version: 1\n")
    said = b'{"results":[{"id":2,"status":400,"why":1e999},{"id":1e400,"status":200}]}'
    with Wire(lambda asked: answer(200, said)) as wire:
        settings = {
            "key": "id",
            "batching": {"size": 2},
            "outcomes": {"at": "/results", "by": "key", "key": "/id", "status": "/status", "reason": "/why"},
        }
        report = haulier.send(destination(wire.url, **settings), [b'{"id":1e400}', b'{"id":2,"n":1e999}'])
        letters = list(dead_letters("d"))
    assert (report.delivered, report.rejected) == (1, 1)
    assert [(one.key, one.reason) for one in letters] == [(2, "the service says 400: 1e999")]


def test_what_lies_below_such_a_number_is_told_as_below_any() -> None:
    (found,) = values_at(("a", "b"))([{"a": decoded(b"1e400")}])
    assert found == Fault("attribute `a` is a number and has no `b`")
    (raw,) = values_at(("a", "b"))([{"a": msgspec.Raw(b"1e400")}])
    assert raw == found
