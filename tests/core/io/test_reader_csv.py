"""CSV: the header names the attributes, values stay strings, a row of another width is that row's fault."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.io.reading import read_until_error

from haulier.errors import ConfigurationError, InputError
from haulier.io.readers import SourceDoors, open_records
from haulier.io.readers.csv_rows import CsvReader
from haulier.io.readers.source import Source
from haulier.model.block import Block


def written(folder: Path, data: bytes, name: str = "records.csv") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_rows_are_records_of_strings(tmp_path: Path, end: bytes, mark: bytes) -> None:
    path = written(tmp_path, mark + end.join([b"iata,lat", b"00M,31.950", b'"a, ""b""",', b""]))
    assert list(open_records(path).blocks()) == [
        Block(
            first=0,
            lines=[b'{"iata":"00M","lat":"31.950"}', b'{"iata":"a, \\"b\\"","lat":""}'],
            first_line=2,
            plain=True,
        )
    ]


def test_tabs_part_a_tsv_and_a_delimiter_can_be_given(tmp_path: Path) -> None:
    tabbed = written(tmp_path, b"a\tb\n1,5\t2\n", "records.tsv")
    semicolons = written(tmp_path, b"a;b\n1,5;2\n")
    expected = [Block(first=0, lines=[b'{"a":"1,5","b":"2"}'], first_line=2, plain=True)]
    assert list(open_records(tabbed).blocks()) == expected
    assert list(open_records(semicolons, delimiter=";").blocks()) == expected
    assert list(open_records(semicolons, format="csv", delimiter=";").blocks()) == expected


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_a_delimiter_that_cannot_stand_between_columns_is_refused(tmp_path: Path, delimiter: str) -> None:
    path = written(tmp_path, b"a;b\n1;2\n")
    with pytest.raises(ConfigurationError) as caught:
        open_records(path, delimiter=delimiter)
    assert str(caught.value) == f"{path}: the delimiter {delimiter!r} is not one character, or ends a line"


def test_a_row_of_another_width_is_a_fault_of_that_row_alone(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,b,c\n1,2,3\n4\n5,6\n7,8,9,10\n11,12,13\n")
    assert list(open_records(path).blocks()) == [
        Block(
            first=0,
            lines=[
                b'{"a":"1","b":"2","c":"3"}',
                b'["4"]',
                b'["5","6"]',
                b'["7","8","9","10"]',
                b'{"a":"11","b":"12","c":"13"}',
            ],
            first_line=2,
            plain=False,
            faults={
                1: "has 1 column, the header has 3",
                2: "has 2 columns, the header has 3",
                3: "has 4 columns, the header has 3",
            },
        )
    ]


def test_a_row_that_is_no_utf8_is_a_fault_of_that_row_alone(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,b\n1,caf\xe9\n2,caf\xc3\xa9\n")
    assert list(open_records(path).blocks()) == [
        Block(
            first=0,
            lines=[b'["1","caf?"]', b'{"a":"2","b":"caf\xc3\xa9"}'],
            first_line=2,
            plain=False,
            faults={0: "is not UTF-8"},
        )
    ]


def test_rows_over_many_lines_and_blank_lines_part_position_from_line(tmp_path: Path) -> None:
    path = written(tmp_path, b'\na,b\n\n1,"x\ny"\n2,z\n\n  \n3,w\n')
    assert list(open_records(path).blocks()) == [
        Block(first=0, lines=[b'{"a":"1","b":"x\\ny"}'], first_line=4, plain=True),
        Block(first=1, lines=[b'{"a":"2","b":"z"}'], first_line=6, plain=True),
        Block(first=2, lines=[b'{"a":"3","b":"w"}'], first_line=9, plain=True),
    ]


def test_a_header_alone_has_no_records(tmp_path: Path) -> None:
    assert list(open_records(written(tmp_path, b"a,b\n")).blocks()) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty; a CSV begins with a header row that names the attributes"),
        (b"\n\n", "is empty; a CSV begins with a header row that names the attributes"),
        (b"a,,b\n1,2,3\n", "line 1: the header of column 2 is empty; name every column"),
        (
            b"\na,b,a\n1,2,3\n",
            "line 2: the header of column 3 is 'a', as column 1 is; name every column differently",
        ),
        (b"a,\xff\n1,2\n", "line 1: the header of column 2 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_header_that_names_no_attributes_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = written(tmp_path, data)
    assert read_until_error(open_records(path).blocks()) == ([], f"{path}: {message}")


@pytest.mark.parametrize("rest", [b'2,"open\n3,x\n', b'2,"open\n3,"x"\n4,y\n', b'2,"x"y\n'])
def test_a_quote_that_is_not_closed_ends_the_input_after_what_was_read(tmp_path: Path, rest: bytes) -> None:
    path = written(tmp_path, b"a,b\n" + b"1,x\n" * 1000 + rest)
    lines, message = read_until_error(open_records(path).blocks())
    assert lines == [b'{"a":"1","b":"x"}'] * 1000
    assert message.startswith(f"{path}: line 1002: ")
    assert message.endswith("; the rows before it were read, mend it and run again")


def test_an_open_quote_does_not_take_the_memory_of_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haulier.io.readers.csv_rows.MAX_RECORD_BYTES", 200_000)
    before = csv.field_size_limit(100_000)
    path = written(tmp_path, b'a,b\n1,x\n2,"open\n' + b"3,x\n" * 200_000)
    try:
        lines, message = read_until_error(open_records(path).blocks())
    finally:
        csv.field_size_limit(before)
    assert lines == [b'{"a":"1","b":"x"}']
    assert message == (
        f"{path}: line 3: a quote is opened here and not closed as CSV closes it; "
        "the rows before it were read, mend it and run again"
    )


def test_a_long_field_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"a\n" + b"x" * 300_000 + b"\n")
    assert [len(line) for block in open_records(path).blocks() for line in block.lines] == [300_008]


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=60)
@given(st.lists(st.tuples(cells, cells), max_size=30))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([("first", "second"), *rows])
    path = written(tmp_path_factory.mktemp("csv"), text.getvalue().encode())
    reader = CsvReader(Source(path, SourceDoors(path)))
    assert [tuple(json.loads(line).values()) for block in reader.blocks() for line in block.lines] == rows


@pytest.mark.parametrize(
    ("header", "format"),
    [
        ('{"sku": 1}', "jsonl"),
        ('{"sku": 1, "n": 2}', "jsonl"),
        ('[{"sku": 1},', "json"),
        ('[{"sku": 1}]', "json"),
    ],
)
def test_json_is_told_with_the_format_to_read_it_with(tmp_path: Path, header: str, format: str) -> None:
    path = written(tmp_path, f"{header}\n1\n".encode())
    with pytest.raises(InputError) as refused:
        list(open_records(path).blocks())
    begin, _, _ = header.partition(",")
    assert str(refused.value) == (
        f"{path}: line 1: the header begins with {begin!r}, so this is JSON and no CSV; it is read with "
        f"--format {format}"
    )


@pytest.mark.parametrize(
    ("header", "words", "format"),
    [("sku;title;price", "semicolons", "ssv"), ("sku\ttitle", "tabs", "tsv")],
)
def test_columns_parted_by_something_else_are_told_with_the_way_out(
    tmp_path: Path, header: str, words: str, format: str
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"{header}\n{header}\n")
    with pytest.raises(InputError) as refused:
        list(open_records(path).blocks())
    assert str(refused.value) == (
        f"{path}: line 1: the header is one column named {header!r}; columns parted by {words} are read with "
        f"--format {format}"
    )
    (block,) = open_records(path, format=format).blocks()
    names = header.replace("\t", ";").split(";")
    assert json.loads(block.lines[0]) == dict(zip(names, names, strict=True))


def test_one_column_with_a_comma_in_its_name_is_one_column(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('"amount, EUR"\n1\n')
    (block,) = open_records(path).blocks()
    assert block.lines == [b'{"amount, EUR":"1"}']
