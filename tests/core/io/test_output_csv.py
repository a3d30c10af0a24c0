"""The CSV output: a table that any program reads, whole also after a crash; and lines that go where they belong."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from haulier.errors import ConfigurationError
from haulier.io.doors import FolderDoors
from haulier.io.outputs.csv import CsvOutput, CsvSettings

LINE = {
    "id": "r:0",
    "key": "A-17",
    "state": "delivered",
    "main_color": "#aa0000",
    "image_colors": [{"percent": 60.5}, {"percent": 39.5}],
    "record": {"url": "https://example.com/1.jpg", "title": 'two "words", and\r\na break'},
}
COLUMNS = {
    "sku": "key",
    "url": "url",
    "title": "title",
    "colour": "main_color",
    "share": "/image_colors/0/percent",
    "all": "image_colors",
    "none": "missing",
}


def output(folder: Path, **settings: Any) -> CsvOutput:
    """An output in this folder."""
    given = {"path": "out/table.csv", "columns": COLUMNS, **settings}
    return CsvOutput(CsvSettings.model_validate(given), FolderDoors(folder))


def rows(folder: Path) -> list[list[str]]:
    """The table as the standard library reads it."""
    with (folder / "out" / "table.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_line_becomes_a_row_and_the_first_row_names_the_columns(tmp_path: Path) -> None:
    one = output(tmp_path)
    one.write([json.dumps(LINE).encode(), b'{"key": 7}'])
    one.close()
    assert rows(tmp_path) == [
        list(COLUMNS),
        [
            "A-17",
            "https://example.com/1.jpg",
            'two "words", and a break',
            "#aa0000",
            "60.5",
            '[{"percent":60.5},{"percent":39.5}]',
            "",
        ],
        ["7", "", "", "", "", "", ""],
    ]


def test_opened_again_it_goes_on_and_a_torn_row_is_cut_off(tmp_path: Path) -> None:
    one = output(tmp_path, columns=["key", "/record/url"])
    one.write([json.dumps(LINE).encode()])
    one.close()
    path = tmp_path / "out" / "table.csv"
    path.write_bytes(path.read_bytes() + b'B-18,"https://exa')
    again = output(tmp_path, columns=["key", "/record/url"])
    again.write([b'{"key": "B-18", "record": {"url": "u"}}'])
    again.close()
    assert rows(tmp_path) == [["key", "url"], ["A-17", "https://example.com/1.jpg"], ["B-18", "u"]]


def test_a_torn_row_is_cut_off_also_where_what_is_left_of_it_is_json(tmp_path: Path) -> None:
    output(tmp_path, columns=["key"]).close()
    path = tmp_path / "out" / "table.csv"
    path.write_bytes(path.read_bytes() + b"12")
    again = output(tmp_path, columns=["key"])
    again.write([b'{"key": 1234}'])
    again.close()
    assert rows(tmp_path) == [["key"], ["1234"]]


def test_a_table_with_other_columns_is_left_alone(tmp_path: Path) -> None:
    output(tmp_path).close()
    before = rows(tmp_path)
    with pytest.raises(ConfigurationError, match="has other columns than key; take another path"):
        output(tmp_path, columns=["key"])
    assert rows(tmp_path) == before


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(ValidationError, match="name at least one column"):
        CsvSettings.model_validate({"path": "x.csv", "columns": []})
