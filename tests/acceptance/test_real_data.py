"""Real photos and real records, from the folder named by HAULIER_TEST_DATA, compared with what the server received.

The folder holds `photos/`, `movies.jsonl` and `earthquakes.jsonl` (of vega-datasets and the USGS, many nulls, nested
values, large integers) and `airports.csv` (codes with leading zeros). Without it these tests are skipped, by name.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.support import QUICK, Imagga, Project, RecordingServer, in_order, parts_of

import haulier
from haulier_imagga.emulator import DEMO_KEY

FOLDER = os.environ.get("HAULIER_TEST_DATA", "")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="HAULIER_TEST_DATA names no folder with real photos and records"
)
DATA = Path(FOLDER)


def batched(server: RecordingServer, size: int, **settings: Any) -> dict[str, Any]:
    """A destination that sends batches."""
    return {
        "name": "real",
        "request": {"method": "POST", "url": server.url + "/in"},
        "batching": {"size": size},
        "limits": QUICK,
        **settings,
    }


def arrived(server: RecordingServer, records: list[Any], size: int) -> list[Any]:
    """All records that arrived, batch by batch in the order of the input, as batches may overtake each other."""
    begins = {exactly([records[position]]): position for position in range(0, len(records), size)}
    batches = sorted((seen.json for seen in server.seen), key=lambda batch: begins[exactly(batch[:1])])
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    return [record for batch in batches for record in batch]


def exactly(records: list[Any]) -> str:
    """Records as text in which 1 and 1.0, true and 1, and the order of attributes differ."""
    return json.dumps(records)


def read_lines(name: str) -> list[Any]:
    """The records of a JSONL file, as Python's own JSON reads them."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize("name", ["movies", "earthquakes"])
@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "json", "iterable"])
def test_json_records_arrive_value_by_value(
    name: str, kind: str, project: Project, server: RecordingServer
) -> None:
    """Every value of every record is the same at the server, whichever way the records were read."""
    lines = (DATA / f"{name}.jsonl").read_bytes()
    records = read_lines(name)
    given: Any = project.root / f"{name}.{kind}"
    if kind == "iterable":
        given = iter(records)
    else:
        given.write_bytes(
            {
                "jsonl": lines,
                "jsonl.gz": gzip.compress(lines),
                "json": json.dumps(records, indent=1).encode(),
            }[kind]
        )
    report = haulier.send(batched(server, 100), given)
    assert (report.read, report.delivered, report.attempts) == (len(records), len(records), len(server.seen))
    assert exactly(arrived(server, records, 100)) == exactly(records)


@pytest.mark.parametrize("name", ["movies", "earthquakes"])
def test_records_without_an_attribute(name: str, project: Project, server: RecordingServer) -> None:
    """With attributes excluded all other values are still the same, in their order."""
    exclude = ["US Gross", "geometry", "Title"]
    left = [{key: value for key, value in one.items() if key not in exclude} for one in read_lines(name)]
    report = haulier.send(batched(server, 50, exclude=exclude), DATA / f"{name}.jsonl")
    assert report.ok
    assert sorted(exactly([one]) for seen in server.seen for one in seen.json) == sorted(
        exactly([one]) for one in left
    )


def test_airports_arrive_with_their_leading_zeros(project: Project, server: RecordingServer) -> None:
    """Every field of every CSV row arrives as the text it is."""
    with (DATA / "airports.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    report = haulier.send(batched(server, 100), DATA / "airports.csv")
    assert (report.read, report.delivered) == (len(rows), len(rows))
    assert exactly(arrived(server, rows, 100)) == exactly(rows)
    codes = [row["iata"] for row in rows]
    assert any(code.startswith("0") for code in codes)


def test_earthquakes_one_by_one_as_form(project: Project, server: RecordingServer) -> None:
    """One request a record, an id in the path, nested values as JSON text: the same values again."""
    records = read_lines("earthquakes")[:200]
    destination = {
        "name": "quakes",
        "request": {"method": "PUT", "url": server.url + "/quakes/{record.id}", "content_format": "form"},
        "format_settings": {"nested": "json"},
        "limits": QUICK,
    }
    report = haulier.send(destination, DATA / "earthquakes.jsonl", limit=200)
    assert report.ok
    sent = {seen.path.removeprefix("/quakes/"): dict(seen.form) for seen in server.seen}
    assert len(sent) == 200
    for record in records:
        fields = sent[record["id"]]
        assert (fields["type"], fields["id"]) == (record["type"], record["id"])
        assert exactly([json.loads(fields["properties"])]) == exactly([record["properties"]])
        assert exactly([json.loads(fields["geometry"])]) == exactly([record["geometry"]])


def test_photos_are_uploaded_byte_for_byte(project: Project, imagga: Imagga) -> None:
    """Each photo arrives with exactly its bytes, is recognised, and is tagged by the id it got."""
    photos = sorted(path for path in (DATA / "photos").iterdir() if path.is_file())
    assert len(photos) >= 3
    upload = imagga.to(
        "upload-image",
        key="file",
        params={"image": "{record.file}"},
        files_root=str(DATA / "photos"),
        outputs=[{"to": "jsonl", "path": "out/uploads.jsonl"}],
    )
    report = haulier.send(upload, [{"file": photo.name} for photo in photos], credential=imagga.credential)
    assert report.ok, report
    found = {}
    for one in imagga.requests:
        assert one.body is not None
        (part,) = parts_of(one.header("content-type") or "", one.body)
        found[part.filename] = (len(part.content), hashlib.sha256(part.content).hexdigest())
    assert found == {
        photo.name: (photo.stat().st_size, hashlib.sha256(photo.read_bytes()).hexdigest()) for photo in photos
    }
    lines = in_order(project.lines("out/uploads.jsonl"), "key")
    assert [line["key"] for line in lines] == [photo.name for photo in photos]
    for line in lines:
        service = imagga.emulator.service
        assert service.uploads.get(DEMO_KEY, line["upload_id"], service.clock.now()).width
    imagga.emulator.log.clear()
    tag = imagga.to("tag-image", params={"image_upload_id": "{record.upload_id}"})
    assert haulier.send(tag, "out/uploads.jsonl", credential=imagga.credential).ok
    ids = {one.target.partition("image_upload_id=")[2] for one in imagga.requests}
    assert ids == {line["upload_id"] for line in lines}
