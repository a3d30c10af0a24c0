"""Real data, read value by value; the folder is named by HAULIER_TEST_DATA."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

import pytest

from haulier.io.files import FileRoom, stream_part
from haulier.io.readers import open_records

FOLDER = os.environ.get("HAULIER_TEST_DATA", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="HAULIER_TEST_DATA names no folder with real data")


@pytest.mark.parametrize(("name", "count"), [("movies.jsonl", 3201), ("earthquakes.jsonl", 1707)])
@pytest.mark.parametrize("form", ["lines", "packed", "array", "indented", "mappings"])
def test_real_records_come_out_as_they_are_in_every_form(
    tmp_path: Path, name: str, count: int, form: str
) -> None:
    text = (Path(FOLDER) / name).read_bytes()
    values = [json.loads(line) for line in text.splitlines()]
    path = tmp_path / "records.json"
    if form == "array":
        path.write_bytes(json.dumps(values).encode())
    elif form == "indented":
        path.write_bytes(json.dumps(values, indent=2, ensure_ascii=False).encode())
    elif form == "packed":
        path.write_bytes(gzip.compress(text))
    else:
        path = Path(FOLDER) / name
    blocks = list(open_records(values if form == "mappings" else path).blocks())
    lines = [line for block in blocks for line in block.records]
    assert len(lines) == count
    assert [json.loads(line) for line in lines] == values
    assert all(block.plain and not block.faults for block in blocks)
    if form in {"lines", "packed"}:
        assert lines == text.split(b"\n")[:count]


def test_real_rows_keep_their_leading_zeros() -> None:
    path = Path(FOLDER) / "airports.csv"
    with path.open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    values = [json.loads(line) for block in open_records(path).blocks() for line in block.lines]
    assert len(values) == 3376
    assert values == expected
    assert values[0]["iata"] == "00M"


def test_real_photos_are_streamed_as_they_are() -> None:
    folder = Path(FOLDER) / "photos"
    room = FileRoom(folder, 1_000_000)
    media = {path.name: room.part(path.name).media_type for path in folder.iterdir()}
    assert media == {
        "astronaut.png": "image/png",
        "chelsea.png": "image/png",
        "coffee.png": "image/png",
        "hubble_deep_field.jpg": "image/jpeg",
        "no_time_for_that_tiny.gif": "image/gif",
        "rocket.jpg": "image/jpeg",
    }
    for path in folder.iterdir():
        assert b"".join(stream_part(room.part(str(path)))) == path.read_bytes()
