"""`csv` gives back, through the standard library's reader, every record it was given, in order and once."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.core.pipeline.made_records import (
    data_of,
    members,
    needs_real_data,
    real_records,
    records,
    refusal_of,
    scalars,
    texts,
)

from haulier.errors import DestinationError, RecordError
from haulier.model.request import FilePart
from haulier.pipeline.encoding.csv import CSV, CsvSettings


def rows(data: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=delimiter, strict=True))


def cell(value: Any) -> str:
    """The text a value has in a cell, said without the code that is tested."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def test_a_header_and_a_row_for_each_record() -> None:
    batch = [members({"a": 1, "b": 'x "y", z'}), members({"b": "\r\n", "a": None})]
    assert data_of(CSV, batch) == b'a,b\r\n1,"x ""y"", z"\r\n,"\r\n"\r\n'
    body = CSV.encode(batch, CsvSettings())
    assert body.media_type == "text/csv; charset=utf-8"


@settings(deadline=None)
@given(
    st.lists(texts, min_size=1, max_size=4, unique=True).flatmap(
        lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, scalars)), min_size=1, max_size=4)
    ),
    st.sampled_from([",", ";", "\t", "|", " "]),
    st.sampled_from(["needed", "all"]),
    st.sampled_from(["crlf", "lf"]),
)
def test_any_record_comes_back_in_order(batch: Any, delimiter: str, quote: str, line_end: str) -> None:
    data = data_of(CSV, [members(one) for one in batch], delimiter=delimiter, quote=quote, line_end=line_end)
    names = list(batch[0])
    assert rows(data, delimiter) == [names, *([cell(one[name]) for name in names] for one in batch)]


@settings(deadline=None)
@given(st.lists(records, min_size=1, max_size=4))
def test_records_that_differ_come_back_filled(batch: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for one in batch for name in one))
    if not names:
        assert "no attributes" in refusal_of(CSV, [members(one) for one in batch], missing="fill")
        return
    data = data_of(CSV, [members(one) for one in batch], missing="fill", nested="json")
    found = rows(data)
    assert found[0] == names
    for row, one in zip(found[1:], batch, strict=True):
        for text, name in zip(row, names, strict=True):
            value = one.get(name)
            if isinstance(value, dict | list):
                assert json.loads(text) == value
            else:
                assert text == cell(value)


def test_records_that_differ_are_refused_each_with_its_reason() -> None:
    batch = [members(one) for one in ({"a": 1}, {"a": 2, "x": 1}, {"b": 1}, {"a": [1]}, {"a": 3})]
    with pytest.raises(RecordError) as refused:
        CSV.encode(batch, CsvSettings())
    assert [(batch.index(one), reason) for one, reason in refused.value.each] == [  # type: ignore[arg-type]
        (
            1,
            "attribute 'x' is no column: add it to `columns`, leave it out with `exclude`, or write `extra: drop`",
        ),
        (2, "has no attribute 'a', which is a column: write `missing: fill` to leave it empty"),
        (
            3,
            "attribute 'a' is a list, which no cell holds: set `nested: json` in `format_settings`, "
            "or leave it out with `exclude`",
        ),
    ]


def test_columns_fix_the_order_and_what_is_sent() -> None:
    fixed: dict[str, Any] = {"columns": ["b", "a"], "extra": "drop", "missing": "fill", "null": "NULL"}
    assert data_of(CSV, [members({"a": 1, "b": True, "c": 2}), members({"a": None})], **fixed) == (
        b"b,a\r\ntrue,1\r\nNULL,NULL\r\n"
    )
    assert data_of(CSV, members({"a": False}), columns=["a"], header=False, booleans="digits") == b"0\r\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\uff1d1"])
def test_formulas_are_guarded_where_asked_and_numbers_stay(text: str) -> None:
    """https://owasp.org/www-community/attacks/CSV_Injection"""
    (header, row) = rows(data_of(CSV, members({"=h": text, "n": -1, "s": "a=1"}), guard_formulas=True))
    assert (header, row) == (["'=h", "n", "s"], ["'" + text, "-1", "a=1"])
    assert rows(data_of(CSV, members({"t": text})))[1] == [text]


def test_what_is_no_record_or_has_no_cell_is_refused() -> None:
    picture = FilePart(path="/x/y.png", name="y.png", size=1, mtime_ns=1, sha256=bytes(32))
    assert "is a file" in refusal_of(CSV, {"a": picture})
    assert "leave `batching.item` out" in refusal_of(CSV, [1, 2])
    with pytest.raises(DestinationError, match="choose the grouping array"):
        CSV.encode({"rows": [members({"a": 1})]}, CsvSettings())
    with pytest.raises(DestinationError, match="payload is a str"):
        CSV.encode("text", CsvSettings())


@pytest.mark.parametrize(
    "written",
    [
        {"delimiter": "ab"},
        {"delimiter": '"'},
        {"delimiter": "\n"},
        {"delimiter": "a"},
        {"columns": ["a", "a"]},
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        CsvSettings(**written)
    assert [fault["loc"] for fault in caught.value.errors()] == [(name,) for name in written]


@needs_real_data
@pytest.mark.parametrize("name", ["airports.csv", "movies.jsonl", "earthquakes.jsonl"])
def test_real_records_come_back(name: str) -> None:
    real = real_records(name)
    names = list(dict.fromkeys(key for one in real for key in one))
    found = rows(data_of(CSV, [members(one) for one in real], missing="fill", nested="json"))
    assert found[0] == names
    assert len(found) == len(real) + 1
    for row, one in zip(found[1:], real, strict=True):
        got = dict(zip(names, row, strict=True))
        assert {key: got[key] for key in one if not isinstance(one[key], dict | list)} == {
            key: cell(value) for key, value in one.items() if not isinstance(value, dict | list)
        }
        assert all(
            json.loads(got[key]) == value for key, value in one.items() if isinstance(value, dict | list)
        )
