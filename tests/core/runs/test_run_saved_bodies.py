"""Answers that are files: on the disk before the record is delivered, named for it, told in outputs and report."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.made import made_request

import haulier
from haulier.errors import DestinationError, RunStopped
from haulier.io.saving import SavedBodies
from haulier.model.request import Response
from haulier.runs.reports.history import all_runs

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100
REQUEST = made_request()


class _Pictures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        refused = "refuse" in self.path
        body, media = (b'{"no": 1}', "application/json") if refused else (PICTURE, "image/png")
        self.send_response(400 if refused else 200)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that answers with pictures; the test's folder is the current one."""
    monkeypatch.chdir(tmp_path)
    Path("haulier.yaml").write_text("version: 1\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pictures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def destination(url: str, **settings: Any) -> dict[str, Any]:
    """One that asks for a picture of each record."""
    return {
        "name": "pictures",
        "request": {"method": "GET", "url": url + "/?sku={record.sku}", "attributes": "none"},
        "key": "sku",
        "save_body": "out/pictures",
        "outputs": [{"to": "jsonl", "path": "out/lines.jsonl"}],
        **settings,
    }


def test_each_delivered_record_has_its_file(pictures: str) -> None:
    records = [{"sku": "A-17"}, {"sku": "b/../c ä"}, {"sku": "refuse"}, {"sku": ".hidden"}]
    report = haulier.send(destination(pictures), records)
    assert (report.delivered, report.rejected) == (3, 1)
    run = report.run_id[:12]
    assert report.saved_in == f"out/pictures/{run}"
    lines = {line["key"]: line for line in map(json.loads, Path("out/lines.jsonl").read_text().splitlines())}
    assert {key: line.get("file") for key, line in lines.items()} == {
        "A-17": f"out/pictures/{run}/000000-A-17.png",
        "b/../c ä": f"out/pictures/{run}/000001-b_2F.._2Fc_20_C3_A4.png",
        "refuse": None,
        ".hidden": f"out/pictures/{run}/000003-.hidden.png",
    }
    files = sorted(path for path in Path("out/pictures").rglob("*") if path.is_file())
    assert [str(path) for path in files] == sorted(line["file"] for line in lines.values() if "file" in line)
    assert {path.read_bytes() for path in files} == {PICTURE}


def test_a_folder_outside_the_project_is_refused_before_anything_is_sent(pictures: str) -> None:
    (problem,) = haulier.check(destination(pictures, save_body="../elsewhere")).problems
    assert "is outside" in problem
    with pytest.raises(DestinationError, match="outside"):
        haulier.send(destination(pictures, save_body="../elsewhere"), [{"sku": "A-17"}])
    assert all_runs().runs == ()


def test_a_stopped_run_goes_on_with_another_folder_as_its_message_says(pictures: str) -> None:
    Path("full").write_text("in the way")
    with pytest.raises(RunStopped):
        haulier.send(destination(pictures, save_body="full"), [{"sku": "A-17"}], run_key="k")
    (stopped,) = all_runs().runs
    assert stopped.reason.startswith("cannot save an answer as full/")
    report = haulier.send(destination(pictures, save_body="empty"), [{"sku": "A-17"}], run_key="k")
    assert (report.delivered, report.saved_in) == (1, f"empty/{report.run_id[:12]}")
    assert Path(report.saved_in, "000000-A-17.png").read_bytes() == PICTURE


@pytest.mark.parametrize("folder", ["", " ", " out", "~/out", "/", "//", "a/../.."])
def test_what_names_no_folder_below_the_project_is_refused(pictures: str, folder: str) -> None:
    with pytest.raises(DestinationError, match=r"save_body.*(must name a folder below|is outside)"):
        haulier.send(destination(pictures, save_body=folder), [{"sku": "A-17"}])


def test_a_link_does_not_lead_out_of_the_project(pictures: str, tmp_path: Path) -> None:
    saved = SavedBodies(tmp_path / "project", "out", "0123456789abcdef", None)
    (tmp_path / "project/out").mkdir(parents=True)
    (tmp_path / "project/out/0123456789ab").symlink_to(tmp_path)
    with pytest.raises(RunStopped, match="a link leads out of"):
        saved.save(REQUEST, Response(status=200, headers=(("content-type", "image/png"),), body=PICTURE))
    assert not list(tmp_path.glob("*.png"))


def test_an_answer_without_a_content_type_is_saved(tmp_path: Path) -> None:
    saved = SavedBodies(tmp_path, "out", "0123456789abcdef", None)
    for headers in ((), (("content-type", ""),)):
        assert (
            saved.path_of(REQUEST, Response(status=200, headers=headers, body=PICTURE))
            == "out/0123456789ab/000000.bin"
        )


@pytest.mark.parametrize(("key", "named"), [(b"true", "true"), (b"7", "7"), (b'"True"', "True")])
def test_a_file_is_named_for_its_key_as_records_and_outputs_write_it(
    tmp_path: Path, key: bytes, named: str
) -> None:
    saved = SavedBodies(tmp_path, "out", "0123456789abcdef", "sku")
    request = msgspec.structs.replace(REQUEST, texts=b'{"sku": ' + key + b"}")
    picture = Response(status=200, headers=(("content-type", "image/png"),), body=PICTURE)
    assert saved.path_of(request, picture) == f"out/0123456789ab/000000-{named}.png"


@pytest.mark.parametrize(
    ("key", "media", "named"),
    [
        ("a.png", "image/png", "a.png"),
        ("b.PNG", "image/png", "b.png"),
        ("c.jpeg", "image/jpeg", "c.jpg"),
        ("d.jpg", "image/png", "d.jpg.png"),  # it was made of one
        ("e/f.png", "image/png", "e_2Ff.png"),
        (".png", "image/png", ".png.png"),
        ("x" * 90 + ".png", "image/png", "x" * 80 + ".png"),
    ],
)
def test_an_ending_that_the_key_has_already_does_not_stand_twice(
    tmp_path: Path, key: str, media: str, named: str
) -> None:
    saved = SavedBodies(tmp_path, "out", "0123456789abcdef", "file")
    request = msgspec.structs.replace(REQUEST, texts=json.dumps({"file": key}).encode())
    picture = Response(status=200, headers=(("content-type", media),), body=PICTURE)
    assert saved.path_of(request, picture) == f"out/0123456789ab/000000-{named}"


def test_where_it_cannot_be_saved_the_run_stops_and_goes_on_later(pictures: str) -> None:
    Path("out").mkdir()
    Path("out/pictures").write_text("in the way")
    with pytest.raises(RunStopped, match="cannot save an answer as out/pictures/"):
        haulier.send(destination(pictures), [{"sku": "A-17"}], run_key="k")
    Path("out/pictures").unlink()
    report = haulier.send(destination(pictures), [{"sku": "A-17"}], run_key="k")
    assert (report.delivered, report.in_doubt) == (1, 0)
    assert Path(report.saved_in, "000000-A-17.png").read_bytes() == PICTURE


def test_the_report_names_the_folder_of_each_stage(pictures: str) -> None:
    stage = {"request": {"method": "GET", "url": pictures + "/?sku={record.sku}", "attributes": "none"}}
    chain = {
        "name": "chain",
        "key": "sku",
        "stages": [
            {"name": "first", "save_body": "one", **stage},
            {"name": "second", "save_body": "two", **stage},
        ],
    }
    report = haulier.send(chain, [{"sku": "A-17"}])
    run = report.run_id[:12]
    assert report.saved_in == f"one/{run}, two/{run}"
    assert sorted(str(path) for path in Path().rglob("*.png")) == [
        f"one/{run}/000000-A-17.png",
        f"two/{run}/000000-A-17.png",
    ]
