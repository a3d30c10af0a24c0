"""`when`: an output gets only the lines that say what it asks for; the others get theirs all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.wire import Wire, answer

import haulier


def lines(path: str) -> list[Any]:
    """The keys in a file."""
    file = Path(path)
    return [json.loads(line)["key"] for line in file.read_text().splitlines()] if file.exists() else []


def routed(wire: Wire, *outputs: dict[str, Any]) -> dict[str, Any]:
    """A destination whose lines go to these files, by a condition each."""
    return {
        "name": "routed",
        "request": {"method": "POST", "url": f"{wire.url}/in"},
        "key": "sku",
        "outputs": [{"to": "jsonl", **output} for output in outputs],
    }


def test_lines_go_to_the_outputs_that_want_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Wire() as wire:
        destination = routed(
            wire,
            {"path": "all.jsonl"},
            {"path": "red.jsonl", "when": {"at": "/record/colour", "is": ["red", "rose"]}},
            {"path": "failed.jsonl", "when": {"at": "/state", "is": "rejected"}},
        )
        records = [{"sku": 1, "colour": "red"}, {"sku": 2, "colour": "blue"}, b"no json", {"sku": 4}]
        texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in records]
        report = haulier.send(destination, texts)
    assert (report.delivered, report.rejected, report.state) == (3, 1, "finished")
    assert sorted(lines("all.jsonl"), key=str) == [1, 2, 4, None]
    assert lines("red.jsonl") == [1]
    assert lines("failed.jsonl") == [None]


@pytest.mark.parametrize("chain", [False, True])
def test_a_place_that_no_line_had_is_told_by_the_report(
    chain: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Wire() as wire:
        outputs = [
            {"path": f"{at.rpartition('/')[2]}.jsonl", "when": {"at": at, "is": "red"}}
            for at in ("/record/color", "/record/colour", "/reason")
        ]
        made = routed(wire, *outputs)
        if chain:
            made["stages"] = [{"name": "one", "request": made.pop("request")}]
        report = haulier.send(made, [{"sku": 1, "colour": "blue"}], state="state")
    assert report.note == (
        "outputs: no line had anything at /record/color (`when.at`); of the last one, `/record` has sku, colour"
    )


def problems(**settings: Any) -> tuple[str, ...]:
    """What checking a destination with these outputs complains of."""
    request = {"method": "POST", "url": "http://127.0.0.1:9/in"}
    return haulier.check({"name": "routed", "request": request, **settings}).problems


def test_lines_where_nothing_stands_go_to_who_asked_for_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Wire() as wire:
        output = {"path": "none.jsonl", "when": {"at": "/record/colour", "absent": True}}
        destination = {**routed(wire, output), "limits": {"max_in_flight": 1}}
        haulier.send(destination, [{"sku": 1, "colour": "red"}, {"sku": 2}, {"sku": 3, "colour": None}])
    assert lines("none.jsonl") == [2, 3]


def test_a_header_is_no_place_in_a_line() -> None:
    output = {"to": "jsonl", "path": "out.jsonl", "when": {"at": "header:Content-Type", "is": "image/png"}}
    (problem,) = problems(outputs=[output])
    assert problem == (
        "destination `routed`: outputs jsonl.when.at: header:Content-Type is a header, and lines have none, so none "
        "would ever match; name a JSON pointer into the line such as `/state`"
    )


@pytest.mark.parametrize(
    ("settings", "when", "fault"),
    [
        ({}, {"at": "/sate", "is": "rejected"}, "`sate`, so none would ever match; did you mean `/state`?"),
        ({}, {"at": "/sate", "absent": True}, "`sate`, so all would match; did you mean `/state`?"),
        (
            {"batching": {"size": 5}},
            {"at": "/record/sku", "is": 1},
            "`record`, so none would ever match; did you mean `/records`?",
        ),
        (
            {},
            {"at": "/zzz", "is": 1},
            "`zzz`, so none would ever match; lines have: attempts, file, id, key, positions, reason, record, request, "
            "run, state, status, text, ticket",
        ),
    ],
)
def test_a_name_that_no_line_has_is_no_place_in_one(
    settings: dict[str, Any], when: dict[str, Any], fault: str
) -> None:
    output = {"to": "jsonl", "path": "out.jsonl", "when": when}
    (problem,) = problems(**settings, outputs=[output])
    assert problem == f"destination `routed`: outputs jsonl.when.at: no line has {fault}"


@pytest.mark.parametrize("batched", [False, True])
def test_every_name_that_a_line_has_may_be_asked_for(
    batched: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    batching = {"batching": {"size": 1}} if batched else {}
    with Wire(lambda asked: answer(422 if b"2" in asked.body else 200)) as wire:
        made = {
            **routed(wire, {"path": "a.jsonl", "answer": True}),
            **batching,
            "limits": {"max_in_flight": 1},
        }
        haulier.send(made, [b'{"sku": 1}', b'{"sku": 2}', b"no json"])
        stages = [{"name": name, "request": made["request"]} for name in ("one", "two")]
        chain = {"name": "c", "key": "sku", "outputs": [{"to": "jsonl", "path": "b.jsonl", "answer": True}]}
        haulier.send({**chain, "stages": stages}, [b'{"sku": 1}', b'{"sku": 2}', b"no json"])
    for path, settings in (("a.jsonl", batching), ("b.jsonl", {"stages": stages})):
        told = Path(path).read_text().splitlines()
        names = {name for line in told for name in json.loads(line)}
        assert {"state", "reason", "text"} < names
        for name in names:
            output = {"to": "jsonl", "path": path, "answer": True, "when": {"at": f"/{name}", "is": "x"}}
            call = {} if "stages" in settings else {"request": made["request"]}
            written = {"name": "d", "key": "sku", "outputs": [output], **call, **settings}
            assert haulier.check(written).problems == ()


@pytest.mark.parametrize("other", ["out/a.jsonl", "./out//a.jsonl", "out/b/../a.jsonl"])
def test_two_outputs_never_write_one_file(other: str) -> None:
    (problem,) = problems(outputs=[{"to": "jsonl", "path": path} for path in ("out/a.jsonl", other)])
    assert problem == (
        f"destination `routed`: outputs jsonl.path: {other} is the file of another output (out/a.jsonl), and their "
        "lines would mix; give each a file of its own"
    )
