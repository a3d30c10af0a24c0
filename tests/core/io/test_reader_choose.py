"""Which reader takes an input, what a stranger's reader can reach, and the digest that all of them share."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from haulier.errors import ConfigurationError, LedgerError
from haulier.io.readers import (
    QuickFingerprint,
    SourceDoors,
    open_records,
    quick_fingerprint,
    reader_types,
)
from haulier.io.readers.digest import DigestedReader
from haulier.io.readers.input_hash import InputHash
from haulier.io.readers.source import STDIN
from haulier.model.block import Block
from haulier.model.parts import Doors, Reader, ReaderType
from haulier.runs.inputs.intake import Intake

MIB = 1024 * 1024


def written(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def lines_of(reader: Reader) -> list[bytes]:
    return [line for block in reader.blocks() for line in block.records]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", b'{"a":"1"}\n'),
        ("a.NDJSON", b'{"a":"1"}'),
        ("a.json", b'[{"a":"1"}]'),
        ("a.json", b'{"a":"1"}\n'),
        ("a.csv", b"a\n1\n"),
        ("a.tsv", b"a\n1\n"),
        ("a.csv.gz", gzip.compress(b"a\n1\n", mtime=0)),
        ("a.json.gz", gzip.compress(b'[{"a":"1"}]', mtime=0)),
        ("a", b'\n{"a":"1"}'),
        ("a.txt", b' [{"a":"1"}]'),
        ("a.gz", gzip.compress(b'{"a":"1"}', mtime=0)),
    ],
)
def test_the_ending_decides_and_else_the_first_bytes(tmp_path: Path, name: str, data: bytes) -> None:
    assert lines_of(open_records(tmp_path / name if written(tmp_path, name, data) else "")) == [b'{"a":"1"}']


def test_a_given_format_overrides_the_ending(tmp_path: Path) -> None:
    assert lines_of(open_records(written(tmp_path, "a.json", b"a\n1\n"), format="csv")) == [b'{"a":"1"}']


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_records(written(tmp_path, "a.xml", b"<a/>"), format="xml")
    assert str(caught.value) == "format 'xml' is not known; known formats: csv, json, jsonl, ssv, tsv"


def test_formats_and_delimiters_are_refused_where_they_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a format or delimiter is for paths"):
        open_records([{}], format="csv")
    with pytest.raises(ConfigurationError, match="a delimiter is for csv, ssv and tsv"):
        open_records(written(tmp_path, "a.jsonl", b"{}"), delimiter=";")


class _Words:
    repeatable = True

    def __init__(self, source: str, doors: Doors) -> None:
        self.source, self.doors = source, doors

    def blocks(self) -> Iterator[Block]:
        with self.doors.open_read(self.source.removeprefix("words://")) as file:
            words = file.read().split()
        yield Block(first=0, lines=[json.dumps({"word": word.decode()}).encode() for word in words])


WORDS = ReaderType(
    name="words",
    title="Words",
    description="one record a word",
    factory=_Words,
    endings=(".words", ".csv.words"),
    schemes=("words",),
)


@pytest.mark.parametrize("ending", [".words", ".csv.words"])
def test_a_strangers_reader_is_found_as_the_built_in_ones_are(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, f"a{ending}", b"hello there")
    types = (*reader_types(), WORDS)
    for reader in (
        open_records(path, types=types),
        open_records(path, types=types, format="words"),
    ):
        assert lines_of(reader) == [b'{"word": "hello"}', b'{"word": "there"}']
    assert isinstance(open_records("WORDS://somewhere", types=types), _Words)


def test_a_reader_reaches_its_own_input_and_nothing_else(tmp_path: Path) -> None:
    path, other = written(tmp_path, "a.words", b"mine"), written(tmp_path, "b.words", b"not mine")
    doors = SourceDoors(path)
    with doors.open_read(path) as file:
        assert file.read() == b"mine"
    for refused in (other, STDIN, f"{path}/../b.words"):
        with pytest.raises(ConfigurationError, match="a reader may open its own input only"):
            doors.open_read(refused)
    with pytest.raises(ConfigurationError, match="a reader may not write"):
        doors.open_append(path)
    with SourceDoors(str(tmp_path)).open_read(other) as file:
        assert file.read() == b"not mine"
    with pytest.raises(ConfigurationError, match="a reader may open its own input only"):
        SourceDoors(STDIN).open_read(path)


def told_by(block: Block) -> bytes | None:
    return block.digest() if block.digest is not None else None


def digest_of(lines: list[bytes], hashed_by: InputHash) -> bytes:
    text = b"".join(line + b"\n" for line in lines)
    if hashed_by is InputHash.SHA_256:
        return hashlib.sha256(text).digest()
    return b"\x1e\x20" + blake3(text).digest()


@pytest.mark.parametrize("hashed_by", InputHash)
def test_the_digest_depends_on_the_records_alone(hashed_by: InputHash, tmp_path: Path) -> None:
    lines = [json.dumps({"n": number}, separators=(",", ":")).encode() for number in range(20_000)]
    forms: list[Any] = [
        written(tmp_path, "plain.jsonl", b"\n".join(lines)),
        written(tmp_path, "packed.jsonl.gz", gzip.compress(b"\n".join(lines) + b"\n")),
        written(tmp_path, "blanks.jsonl", b"\r\n \r\n".join(lines) + b"\r\n"),
        written(tmp_path, "array.json", b"[" + b",\n".join(lines) + b"]"),
        lines,
        [json.loads(line) for line in lines],
        iter(lines),
    ]
    for form in forms:
        blocks = list(DigestedReader(open_records(form), hashed_by).blocks())
        assert told_by(blocks[-1]) == digest_of(lines, hashed_by)
        for block in blocks[:3]:
            assert told_by(block) == digest_of(lines[: block.first + len(block.lines)], hashed_by)


@pytest.mark.parametrize("hashed_by", InputHash)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n"])
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_the_digest_is_that_of_the_records_wherever_a_block_is_cut(
    tmp_path: Path, end: bytes, last: bytes, hashed_by: InputHash
) -> None:
    """A resume reads to where the run had come, which is in the middle of a block."""
    lines = [b'{"n":%d, "t":"%b"} ' % (number, b"x" * (number % 700)) for number in range(900)]
    path = written(tmp_path, "lines.jsonl", end.join(lines) + last)
    for cut, limit in ((1, None), (450, 700), (899, 900), (900, None)):
        blocks = list(Intake(path, limit=limit).blocks(hashed_by, cut=cut))
        ends = [block.first + len(block.lines) for block in blocks]
        assert cut in ends
        assert ends[-1] == (limit or 900)
        assert [told_by(block) for block in blocks] == [digest_of(lines[:stop], hashed_by) for stop in ends]


@pytest.mark.parametrize("hashed_by", InputHash)
def test_the_digests_are_the_same_whoever_asks_and_whenever(hashed_by: InputHash) -> None:
    """The ledger's thread asks while the run's own reads on."""
    lines = [b'{"n":%d}' % number for number in range(30_000)]
    blocks = list(DigestedReader(open_records(lines), hashed_by).blocks())
    with ThreadPoolExecutor(4) as pool:
        found = dict(
            pool.map(lambda block: (block.first + len(block.lines), told_by(block)), reversed(blocks))
        )
    running = hashed_by.begun()
    wanted: dict[int, bytes] = {}
    for count, line in enumerate(lines, start=1):
        running.update(line + b"\n")
        if count in found:
            wanted[count] = hashed_by.prefix + running.digest()
    assert found == wanted
    assert len(found) == len(blocks) > 100


def test_a_stored_digest_says_which_hash_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 bytes alone are what earlier versions stored, whatever they begin with."""
    for begins in (b"", b"\x1e\x20", b"\x12\x20"):
        assert InputHash.of(begins.ljust(32, b"-")) is InputHash.SHA_256
    assert InputHash.of(b"\x1e\x20".ljust(34, b"-")) is InputHash.BLAKE3
    for unknown in (b"", b"\x12\x20".ljust(34, b"-"), b"\x1e\x20".ljust(66, b"-")):
        with pytest.raises(LedgerError, match="of no hash function that is known: upgrade haulier"):
            InputHash.of(unknown)
    assert InputHash.of(None) is InputHash.BLAKE3
    monkeypatch.setitem(sys.modules, "blake3", None)
    assert InputHash.of(None) is InputHash.SHA_256


def test_blocks_end_where_they_ended_when_the_input_is_read_again(tmp_path: Path) -> None:
    lines = b"".join(json.dumps({"n": "x" * (number % 700)}).encode() + b"\n" for number in range(5000))
    plain = open_records(written(tmp_path, "a.jsonl", lines))
    packed = open_records(written(tmp_path, "b.jsonl.gz", gzip.compress(lines)))
    assert plain.repeatable is True
    assert packed.repeatable is True
    assert [(block.first, len(block.lines)) for block in plain.blocks()] == [
        (block.first, len(block.lines)) for block in packed.blocks()
    ]


@pytest.mark.parametrize("size", [0, 10, MIB, MIB + 1, 2 * MIB, 3 * MIB + 5])
def test_the_quick_fingerprint_is_size_and_the_first_and_last_mib(tmp_path: Path, size: int) -> None:
    data = bytes(number * 7919 % 251 for number in range(1000)) * (size // 1000 + 1)
    path = written(tmp_path, "a.jsonl", data[:size])
    edges = data[:size] if size <= 2 * MIB else data[:MIB] + data[size - MIB : size]
    assert quick_fingerprint(path) == QuickFingerprint(size, hashlib.sha256(edges).digest())


def test_standard_input_has_no_quick_fingerprint() -> None:
    assert quick_fingerprint(STDIN) is None
