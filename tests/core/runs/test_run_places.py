"""Where a rejected record stands: its line, in every format and grouping, in preview, plan, ledger and remarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, rows
from tests.core.runs.wire import Wire

import haulier

# Line 2 is empty and the record of line 3 has no `a`; in the CSV a cell of line 2 has a line break.
JSONL = '{"a":"x","id":1}\n\n{"id":2}\n{"a":"z","id":3}\n'
CSV = 'id,a\n1,"x\ny"\n2,\n3,z\n'
MISSING = "def build(records, context):\n    return [record['a'] for record in records]\n"
ALONE: dict[str, dict[str, Any]] = {
    "csv": {"request": {"content_format": "csv"}, "format_settings": {"columns": ["id", "a"]}},
    "xml": {"request": {"content_format": "xml"}, "add": {"b": "{record.a}"}},
    "text": {"request": {"content_format": "text"}, "format_settings": {"template": "{record.a}"}},
    "item": {"item": "a"},
    "items": {"item": ["id", "a"]},
    "array": {"add": {"b": "{record.a}"}},
    "property": {"add": {"b": "{record.a}"}, "grouping": {"name": "property", "property_name": "p"}},
    "lines": {
        "add": {"b": "{record.a}"},
        "request": {"content_format": "ndjson"},
        "grouping": "lines",
    },
    "template": {
        "grouping": {
            "name": "template",
            "template": "[{% for one in records %}{{ one.a }}{% if not loop.last %},{% endif %}{% endfor %}]",
        }
    },
}


def made(url: str, written: dict[str, Any], **more: Any) -> dict[str, Any]:
    batching = {
        "size": 10,
        **{name: written[name] for name in ("item", "grouping") if name in written},
        **more,
    }
    return destination(
        url, batching=batching, **{name: one for name, one in written.items() if name not in batching}
    )


@pytest.mark.parametrize("kind", ALONE)
def test_a_record_of_a_batch_is_named_by_its_line(kind: str, folder: Path) -> None:
    path = folder / "records.jsonl"
    path.write_text(JSONL)
    with Wire() as wire:
        destination = made(wire.url, ALONE[kind])
        (rejected,) = haulier.preview(destination, path).rejected
        assert (rejected.position, rejected.place, rejected.told) == (1, "line 3", rejected.reason)
        assert rejected.told.startswith("line 3: ")
        assert haulier.plan(destination, path).first_rejections == (rejected.told,)
        report = haulier.send(destination, path, state="state")
        assert counts(report) == {"delivered": 2, "rejected": 1}
        assert rows(Path("state"), "select position, reason from record") == [(1, rejected.reason)]


@pytest.mark.parametrize(
    ("name", "content", "lines"), [("r.jsonl", JSONL, (1, 3, 4)), ("r.csv", CSV, (2, 4, 5))]
)
def test_a_batch_that_makes_no_body_is_named_by_its_lines(
    name: str, content: str, lines: tuple[int, ...], folder: Path
) -> None:
    path = folder / name
    path.write_text(content)
    code = MISSING if name == "r.jsonl" else MISSING.replace("record['a']", "1 // len(record['a'])")
    made_ = made("http://127.0.0.1:9", {"grouping": {"name": "code", "code": code}})
    rejected = haulier.preview(made_, path).rejected
    (reason,) = {one.reason for one in rejected}
    assert reason.startswith("code:2:")
    assert reason.endswith(f" (lines {lines[0]} to {lines[-1]})")
    assert [one.told for one in rejected] == [f"line {line}: {reason}" for line in lines]
    by_id = made(
        "http://127.0.0.1:9",
        {"grouping": {"name": "code", "code": "def build(r, c):\n    return r[9]\n"}},
        group_by="g",
    )
    path.write_text('{"g":1}\n\n{"g":2}\n{"g":1}\n' if name == "r.jsonl" else "g\n1\n\n2\n1\n")
    told = [one.reason.rpartition(" (")[2] for one in haulier.preview(by_id, path).rejected]
    first, second, third = (1, 3, 4) if name == "r.jsonl" else (2, 4, 5)
    assert told == [f"2 records between lines {first} and {third})"] * 2 + [f"line {second})"]


def test_a_record_that_is_too_large_alone_is_named_by_its_line(folder: Path) -> None:
    path = folder / "records.jsonl"
    path.write_text('{"a":1}\n\n\n{"a":"' + "x" * 100 + '"}\n')
    warnings = haulier.preview(made("http://127.0.0.1:9", {}, max_bytes=50), path).warnings
    assert warnings == ("larger alone than batching.max_bytes (50), so sent alone: line 4 (110 bytes)",)
