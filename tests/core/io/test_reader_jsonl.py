"""JSON lines: every non-blank line is a record, its position and line number right; bad ones stand alone."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.io.reading import read_until_error

from haulier.errors import ConfigurationError, InputError
from haulier.io.readers import open_records
from haulier.io.readers.jsonl import jsonl_blocks
from haulier.io.readers.source import ByteStream
from haulier.model.block import Block
from haulier.model.parts import Reader


def written(folder: Path, data: bytes, name: str = "records.jsonl") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def records_of(reader: Reader) -> list[tuple[int, int | None, bytes]]:
    """(position, line number, text) of every record."""
    return [
        (block.first + index, None if block.first_line is None else block.first_line + index, line)
        for block in reader.blocks()
        for index, line in enumerate(block.records)
    ]


def test_a_file_of_plain_lines_is_one_plain_block(tmp_path: Path) -> None:
    data = b'{"a":1}\n{"b":"\xc3\xa4"}\n'
    assert list(open_records(written(tmp_path, data)).blocks()) == [
        Block(first=0, lines=data.splitlines(keepends=True), first_line=1, plain=True, text=(data,))
    ]


def test_the_last_line_needs_no_line_feed(tmp_path: Path) -> None:
    assert records_of(open_records(written(tmp_path, b'{"a":1}\n{"b":2}'))) == [
        (0, 1, b'{"a":1}'),
        (1, 2, b'{"b":2}'),
    ]


def test_blank_lines_are_no_records_and_part_position_from_line(tmp_path: Path) -> None:
    path = written(tmp_path, b'\n{"a":1}\n \t \n\n{"b":2}\n{"c":3}\n\n')
    assert list(open_records(path).blocks()) == [
        Block(first=0, lines=[b'{"a":1}'], first_line=2, plain=True),
        Block(first=1, lines=[b'{"b":2}', b'{"c":3}'], first_line=5, plain=True),
    ]


@pytest.mark.parametrize("data", [b"", b"\n\n", b" ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_input_without_records_gives_no_blocks(tmp_path: Path, data: bytes) -> None:
    assert list(open_records(written(tmp_path, data)).blocks()) == []


def test_byte_order_mark_indentation_and_crlf_are_taken_off(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbf {"a":1}\r\n\t{"b":2}\r\n')
    assert list(open_records(path).blocks()) == [
        Block(first=0, lines=[b'{"a":1}', b'{"b":2}'], first_line=1, plain=True)
    ]


@pytest.mark.parametrize(
    "line", [b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b"NaN", b"[1]", b"hello", b'"text"', b"\x0c"]
)
def test_a_line_that_is_no_object_in_utf8_is_kept_for_the_planner(tmp_path: Path, line: bytes) -> None:
    path = written(tmp_path, b'{"a":1}\n' + line + b'\n{"b":2}\n')
    assert list(open_records(path).blocks()) == [
        Block(first=0, lines=[b'{"a":1}', line, b'{"b":2}'], first_line=1, plain=False)
    ]


def test_numbers_keep_their_text(tmp_path: Path) -> None:
    line = b'{"huge":12345678901234567890123,"price":1.10,"far":1e999,"nan":NaN}'
    assert records_of(open_records(written(tmp_path, line))) == [(0, 1, line)]


@pytest.mark.parametrize("name", ["records.jsonl.gz", "records.jsonl", "RECORDS.NDJSON.GZ"])
def test_gzip_is_known_by_its_ending_and_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    packed = gzip.compress(b'{"a":1}\n') + gzip.compress(b'{"b":2}\n')  # several members are one file
    assert records_of(open_records(written(tmp_path, packed, name))) == [
        (0, 1, b'{"a":1}'),
        (1, 2, b'{"b":2}'),
    ]


def test_what_came_before_the_break_of_a_gzip_file_was_read(tmp_path: Path) -> None:
    lines = [json.dumps({"n": n, "noise": os.urandom(90).hex()}).encode() for n in range(3000)]
    packed = gzip.compress(b"\n".join(lines) + b"\n")
    path = written(tmp_path, packed[: len(packed) // 2], "records.jsonl.gz")
    read, message = read_until_error(open_records(path).blocks())
    assert message == f"{path}: the gzip data ends early; get the whole file and run again"
    assert read == lines[: len(read)]
    assert len(read) > 1000


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl.gz", b'{"a":1}\n', "ends in .gz but is not packed with gzip; rename it, or pack it again"),
        ("a.jsonl.gz", b"", "ends in .gz but is not packed with gzip; rename it, or pack it again"),
        (
            "a.jsonl",
            '{"a":1}\n'.encode("utf-16"),
            "is UTF-16 text; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)",
        ),
    ],
)
def test_bytes_of_another_kind_are_refused_by_name(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = written(tmp_path, data, name)
    with pytest.raises(InputError) as caught:
        list(open_records(path).blocks())
    assert str(caught.value) == f"{path}: {message}"


def test_damaged_gzip_data_is_an_input_error(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b'{"a":1}\n' * 5000))
    packed[-6] ^= 0xFF  # the checksum
    path = written(tmp_path, bytes(packed), "a.jsonl.gz")
    with pytest.raises(InputError, match="the gzip data is damaged: CRC check failed"):
        list(open_records(path).blocks())


def test_a_line_longer_than_the_limit_is_named_and_what_was_before_it_read(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"a":1}\n' * 20_000 + b"x" * 300_000 + b'\n{"b":2}\n')
    with Path(path).open("rb", buffering=0) as raw:
        read, message = read_until_error(jsonl_blocks(ByteStream(raw, "big.jsonl"), 200_000))
    assert len(read) == 20_000
    assert message == (
        "big.jsonl: line 20001 is longer than 200,000 bytes; records are one a line, "
        "each line ending in a line feed"
    )


def test_a_long_line_below_the_limit_is_read_whole(tmp_path: Path) -> None:
    line = b'{"a":"' + b"x" * 1_000_000 + b'"}'
    path = written(tmp_path, b'{"b":1}\n' + line + b"\n" + line)
    assert records_of(open_records(path)) == [(0, 1, b'{"b":1}'), (1, 2, line), (2, 3, line)]


def test_the_first_blocks_are_short_and_no_block_holds_more_than_a_chunk(tmp_path: Path) -> None:
    """Work begins soon, hand-overs between threads are few, and memory stays flat."""
    line = b'{"a":"' + b"x" * 55 + b'"}\n'
    blocks = list(open_records(written(tmp_path, line * 20_000)).blocks())
    sizes = [len(block.lines) * len(line) for block in blocks]
    assert sizes[0] <= 64 << 10 < sizes[2] <= 256 << 10
    assert max(sizes) == sizes[3] == 256 << 10
    assert sum(sizes) == len(line) * 20_000


def test_a_repeatable_reader_gives_the_same_blocks_again(tmp_path: Path) -> None:
    reader = open_records(written(tmp_path, b'{"a":1}\n' * 10_000))
    assert reader.repeatable is True
    assert list(reader.blocks()) == list(reader.blocks())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.jsonl", "no such file; give the path of the records, or - for standard input"),
        (".", "is a folder; give the path of one file in it"),
        (
            "https://a.example/x.jsonl",
            "no reader takes such an address; fetch it and give the file, or install a plugin that reads it",
        ),
        ("nul\0.jsonl", "cannot be opened: embedded null byte"),
    ],
)
def test_what_cannot_be_opened_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        open_records(path)
    assert str(caught.value) == f"{path}: {message}"


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^records: the path is empty; give that of a file"):
        open_records("")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_said_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, b"{}")
    Path(path).chmod(0)
    with pytest.raises(InputError) as caught:
        open_records(path)
    assert str(caught.value) == f"{path}: may not be read by this user; check its permissions"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_gives_records_as_they_come_and_can_be_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    seen = threading.Event()

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(b'{"a":1}\n{"b":')
            assert seen.wait(10)
            pipe.write(b"2}\n")

    writer = threading.Thread(target=write)
    writer.start()
    reader = open_records(str(path))
    blocks = reader.blocks()
    assert next(blocks).records == [b'{"a":1}']
    seen.set()
    assert [block.records for block in blocks] == [[b'{"b":2}']]
    writer.join()
    assert reader.repeatable is False
    with pytest.raises(InputError) as caught:
        next(reader.blocks())
    assert str(caught.value) == f"{path}: was read already and cannot be read twice; write it to a file first"


@pytest.mark.parametrize(
    ("options", "data", "told"),
    [
        ("", b'{"a":1}\n{"b":2}\n', "[b'{\"a\":1}', b'{\"b\":2}']"),
        ("", b' [{"a":1}]', "[b'{\"a\":1}']"),
        ("", gzip.compress(b'{"a":1}\n', mtime=0), "[b'{\"a\":1}']"),
        (", format='csv'", b"a\n1\n", '[b\'{"a":"1"}\']'),
        ("", b"", "[]"),
        (
            "",
            b"a,b\n1,2\n",
            "standard input: begins with `a`, which begins neither a JSON array nor an object; "
            "say what it is: --format csv | json | jsonl | ssv | tsv",
        ),
    ],
)
def test_standard_input_is_told_apart_by_its_first_bytes_or_by_the_format(
    options: str, data: bytes, told: str
) -> None:
    program = f"""
from haulier.errors import InputError
from haulier.io.readers import open_records
try:
    print([line for block in open_records("-"{options}).blocks() for line in block.records])
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    assert done.stdout.decode().strip() == told


blank_or_record = st.sampled_from(
    [
        b"",
        b" ",
        b"\t",
        b'{"a":1}',
        b'{"a":1} \t',
        b' {"b":2}',
        b"oops",
        b'{"c":"\xff"}',
        b'{"d":"\xc3\xa4"}',
        b"{\0}",
    ]
)


@given(st.lists(blank_or_record), st.sampled_from([b"\n", b"\r\n"]), st.integers(1, 40), st.booleans())
def test_however_the_bytes_arrive_every_record_has_its_line_number(
    lines: list[bytes], end: bytes, step: int, ended: bool
) -> None:
    data = end.join(lines) + (end if ended else b"")
    stream = ByteStream(_Trickle(data, step), "trickle")  # type: ignore[arg-type]
    blocks = list(jsonl_blocks(stream))
    found = [
        (block.first + index, (block.first_line or 0) + index, line)
        for block in blocks
        for index, line in enumerate(block.records)
    ]
    kept = [(number, line.lstrip()) for number, line in enumerate(lines, 1) if line.strip()]
    assert [(number, line.rstrip(b"\r")) for _, number, line in found] == kept
    assert [position for position, _, _ in found] == list(range(len(kept)))
    texts = [(b"".join(block.text), b"".join(block.lines)) for block in blocks if block.text is not None]
    assert [text for text, _ in texts] == [joined for _, joined in texts]
    assert all(line.endswith(b"\n") for block in blocks if block.text is not None for line in block.lines)


class _Trickle:
    """Gives a few bytes at each read, as a slow pipe does."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = data, step

    def read(self, size: int) -> bytes:
        size = min(size, self._step)
        piece, self._data = self._data[:size], self._data[size:]
        return piece
