"""JSON arrays and .json files: elements keep their bytes; an error ends the array, what was before stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.io.reading import read_until_error

from haulier.errors import InputError
from haulier.io.readers import open_records
from haulier.io.readers.json_array import json_array_blocks
from haulier.io.readers.source import ByteStream
from haulier.model.block import Block


def written(folder: Path, data: bytes, name: str = "records.json") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def test_elements_are_records_with_their_bytes_as_they_stand(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbf \n[ {"a": 1.10, "a": 2} ,\n {"b":12345678901234567890123}]\n ')
    assert [line for block in open_records(path).blocks() for line in block.records] == [
        b'{"a": 1.10, "a": 2}',
        b'{"b":12345678901234567890123}',
    ]


def test_an_element_of_many_lines_becomes_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, b'[\r\n  {\r\n    "a": 1.10,\n    "b": "x\\ny"\n  }\n]')
    assert list(open_records(path).blocks()) == [
        Block(first=0, lines=[b'{"a":1.10,"b":"x\\ny"}'], plain=True),
    ]


@pytest.mark.parametrize("data", [b"[]", b" [ ] ", b"[\n]\n"])
def test_an_empty_array_has_no_records(tmp_path: Path, data: bytes) -> None:
    assert list(open_records(written(tmp_path, data)).blocks()) == []


def test_an_element_that_is_no_object_is_a_fault_of_that_record(tmp_path: Path) -> None:
    path = written(tmp_path, b'[[1, {"b":2}, 3], "},{", true, null, -1.5, {"a":"\xff"}, {"c":3}]')
    blocks = list(open_records(path).blocks())
    told = {
        block.first + index: (line, (block.faults or {}).get(index))
        for block in blocks
        for index, line in enumerate(block.lines)
    }
    assert told == {
        0: (b'[1, {"b":2}, 3]', "is a list, not a JSON object"),
        1: (b'"},{"', "is a string, not a JSON object"),
        2: (b"true", "is a boolean, not a JSON object"),
        3: (b"null", "is null, not a JSON object"),
        4: (b"-1.5", "is a number, not a JSON object"),
        5: (b'{"a":"\xff"}', None),
        6: (b'{"c":3}', None),
    }
    assert [block.plain for block in blocks if b'{"a":"\xff"}' in block.lines] == [False]


def test_an_element_nested_too_deeply_is_a_fault_of_that_record(tmp_path: Path) -> None:
    deep = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    path = written(tmp_path, b'[{"b":1},' + deep + b',{"c":2}]')
    told = [(block.first, block.lines, block.faults) for block in open_records(path).blocks() if block.faults]
    lines = [line for block in open_records(path).blocks() for line in block.lines]
    assert [fault for _, _, faults in told for fault in (faults or {}).values()] == ["is nested too deeply"]
    assert lines == [b'{"b":1}', deep, b'{"c":2}']


@pytest.mark.parametrize(
    ("data", "read", "place"),
    [
        (b'[{"a":1},\n{"b":}]', 1, "line 2, byte 15: invalid character"),
        (b'[{"a":1},{"b":2}', 1, "line 1, byte 16: the array ends early"),
        (b'[{"a":1},', 1, "line 1, byte 9: the array ends early"),
        (b'[{"a":1},]', 1, "line 1, byte 9: an element is missing before `]`"),
        (b'[{"a":1},,{"b":1}]', 1, "line 1, byte 9: an element is missing before `,`"),
        (b'[{"a":1}} ,{"b":1}]', 0, "line 1, byte 8: `}` closes nothing"),
        (b'[{"a":1} {"b":1}]', 0, "line 1, byte 9: a comma or bracket is missing before this"),
        (b'[{"a":NaN}]', 0, "line 1, byte 6: invalid character"),
        (b'[{"a":"\n"}]', 0, "line 1, byte 7: invalid character"),
        (
            b'[{"a":1}]\n\n{"b":2}',
            1,
            "line 3, byte 11: something stands behind the array; an input holds one array",
        ),
        (b'[{"a":"open', 0, "line 1, byte 11: the array ends early"),
    ],
)
def test_a_syntax_error_ends_the_array_and_names_its_place(
    tmp_path: Path, data: bytes, read: int, place: str
) -> None:
    path = written(tmp_path, data)
    lines, message = read_until_error(open_records(path).blocks())
    assert len(lines) == read
    assert message == f"{path}: {place}; read before it: {read} records; mend the array and run again"


def test_an_error_far_into_a_large_array_leaves_all_before_it(tmp_path: Path) -> None:
    texts = [json.dumps({"n": n, "of": [{"x": 1}, {"y": "},{"}] * 3}).encode() for n in range(5000)]
    data = b"[" + b",\n".join(texts) + b',\n{"n": oops},{"n":1}]'
    path = written(tmp_path, data)
    lines, message = read_until_error(open_records(path).blocks())
    assert lines == texts
    assert message == (
        f"{path}: line 5001, byte {data.index(b'oops')}: invalid character; "
        "read before it: 5000 records; mend the array and run again"
    )


def test_an_element_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = Path(written(tmp_path, b'[{"a":1},{"b":"' + b"x" * 900_000 + b'"}]'))
    with path.open("rb", buffering=0) as raw:
        lines, message = read_until_error(json_array_blocks(ByteStream(raw, "big.json"), 100_000))
    assert lines == [b'{"a":1}']
    assert message == (
        "big.json: line 1, byte 9: an element is longer than 100,000 bytes; "
        "read before it: 1 records; mend the array and run again"
    )


def test_a_json_file_that_begins_with_a_brace_is_json_lines(tmp_path: Path) -> None:
    path = written(tmp_path, b'\n {"a":1}\noops\n{"b":2}\n')
    assert list(open_records(path).blocks()) == [
        Block(first=0, lines=[b'{"a":1}', b"oops", b'{"b":2}'], first_line=2, plain=False)
    ]


def test_one_object_over_many_lines_is_one_record(tmp_path: Path) -> None:
    path = written(tmp_path, b'\n{\n  "a": 1.10,\n  "b": [1,\n 2]\n}\n')
    assert list(open_records(path).blocks()) == [Block(first=0, lines=[b'{"a":1.10,"b":[1,2]}'], plain=True)]


def test_one_object_on_one_line_is_one_record(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"a":"' + b"x" * 200_000 + b'"}')
    assert [(b.first, len(b.lines[0]), b.plain) for b in open_records(path).blocks()] == [(0, 200_008, True)]


def test_lines_whose_first_is_malformed_are_still_lines(tmp_path: Path) -> None:
    path = written(tmp_path, b'{oops\n{"a":1}\n' + b'{"b":2}\n' * 20_000)
    lines = [line for block in open_records(path).blocks() for line in block.records]
    assert lines == [b"{oops", b'{"a":1}', *[b'{"b":2}'] * 20_000]


@pytest.mark.parametrize("name", ["records.json", "records", "records.txt"])
def test_what_is_no_json_is_refused_at_once_with_the_formats(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, b"sku,price\n1,2\n", name)
    with pytest.raises(InputError) as caught:
        open_records(path)
    assert str(caught.value) == (
        f"{path}: begins with `s`, which begins neither a JSON array nor an object; "
        "say what it is: --format csv | json | jsonl | ssv | tsv"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04sheet", "is a zip archive, as spreadsheets (.xlsx, .ods) are; save the sheet as CSV"),
        (
            b"PAR1\x15\x04\x15",
            "is a Parquet file; make JSON lines of it (pip install pyarrow): "
            'python -c "import json, pyarrow.parquet as p; [print(json.dumps(row, default=str)) for some in '
            "p.ParquetFile('records.parquet').iter_batches() for row in some.to_pylist()]\" > records.jsonl",
        ),
        (
            b"\xff\xd8\xff\xe0 a JPEG",
            "begins with the byte ff, which begins neither a JSON array nor an object; say what it is: --format csv | "
            "json | jsonl | ssv | tsv",
        ),
        (
            b"\x00\x01",
            "begins with the byte 00, which begins neither a JSON array nor an object; say what it is: --format csv | "
            "json | jsonl | ssv | tsv",
        ),
    ],
)
def test_what_is_no_text_is_said_in_words(tmp_path: Path, content: bytes, told: str) -> None:
    path = written(tmp_path, content, "records.xlsx")
    with pytest.raises(InputError) as caught:
        open_records(path)
    assert str(caught.value) == f"{path}: {told}"


@pytest.mark.parametrize("indent", [None, 2])
def test_an_object_around_a_list_of_objects_is_one_record_with_a_hint(
    tmp_path: Path, indent: int | None
) -> None:
    data = json.dumps({"count": 2, "records": [{"a": 1}, {"a": 2}]}, indent=indent).encode()
    reader = open_records(path := written(tmp_path, data))
    assert [len(block.lines) for block in reader.blocks()] == [1]
    assert reader.hints == (  # type: ignore[attr-defined]
        f"{path} is one object, so it is one record; if the objects in its `records` are the records, take them out: "
        f"jq -c '.records[]' {path} > records.jsonl",
    )


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}',
        b'{"a": [1, 2]}',
        b'{"a": [{}], "b": [{}]}',
        b'{"a": [{}]}\n{"a": [{}]}',
        b'[{"a": [{}]}]',
        b'{"a": [{}',
    ],
)
def test_other_json_has_no_hint(tmp_path: Path, data: bytes) -> None:
    reader = open_records(written(tmp_path, data))
    assert list(reader.blocks())
    assert reader.hints == ()  # type: ignore[attr-defined]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.lists(json_values, max_size=12), st.sampled_from([None, 0, 2]), st.integers(1, 70), st.booleans())
def test_every_array_gives_its_elements_however_the_bytes_arrive(
    values: list[Any], indent: int | None, step: int, raw: bool
) -> None:
    data = json.dumps(values, indent=indent, ensure_ascii=not raw).encode(errors="surrogatepass")
    blocks = list(json_array_blocks(ByteStream(_Trickle(data, step), "trickle")))  # type: ignore[arg-type]
    assert [json.loads(line) for block in blocks for line in block.lines] == values
    assert all(b"\n" not in line for block in blocks for line in block.lines)
    faulty = {block.first + index for block in blocks for index in block.faults or {}}
    assert faulty == {index for index, value in enumerate(values) if not isinstance(value, dict)}


class _Trickle:
    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = data, step

    def read(self, size: int) -> bytes:
        size = min(size, self._step)
        piece, self._data = self._data[:size], self._data[size:]
        return piece
