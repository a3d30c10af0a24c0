"""The product's features, one test for each row of the feature table: what a person can do, done.

Every test does what its row says through the public API or the command line, and looks at what the server was sent.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.acceptance.support import (
    QUICK,
    Imagga,
    Project,
    RecordingServer,
    Reply,
    in_order,
    parts_of,
    png,
    wait_until,
)

import haulier
from haulier.io.destinations import load_destination
from haulier.model.destination import Batching
from haulier_imagga import TEMPLATES
from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, Fault

PRODUCTS: list[dict[str, Any]] = [
    {"sku": "HL-0001", "title": "Café crème", "price": 12.5, "stock": 7},
    {"sku": "HL-0002", "title": 'Say "hi"', "price": 3, "stock": 0},
    {"sku": "HL-0003", "title": "日本", "price": 0.1, "stock": 120},
]
URLS = [{"id": number, "url": f"https://example.com/pictures/{number}.jpg?size=2&big"} for number in range(3)]


def to(server: RecordingServer, method: str = "POST", path: str = "/in", **settings: Any) -> dict[str, Any]:
    """A destination by hand at the recording server; `request_...` settings go into the request."""
    request = {
        name.removeprefix("request_"): settings.pop(name) for name in list(settings) if "request_" in name
    }
    return {
        "name": "acceptance",
        "request": {"method": method, "url": server.url + path, **request},
        "limits": QUICK,
        **settings,
    }


def pictures(project: Project, count: int = 3) -> list[dict[str, Any]]:
    """Picture files below `pictures/`, and records that name them."""
    records = []
    for number in range(count):
        project.write(f"pictures/{number}.png", png(20 + number, 10, shade=40 * number))
        records.append({"sku": f"P-{number}", "file": f"{number}.png"})
    return records


def upload(project: Project, imagga: Imagga, count: int = 3) -> list[dict[str, Any]]:
    """Upload pictures; the output's lines, in the order of the records."""
    destination = imagga.to(
        "upload-image",
        key="sku",
        params={"image": "{record.file}"},
        files_root="pictures",
        outputs=[{"to": "jsonl", "path": "out/uploads.jsonl"}],
    )
    report = haulier.send(destination, pictures(project, count), credential=imagga.credential)
    assert report.ok, report
    return in_order(project.lines("out/uploads.jsonl"), "key")


def test_f01_send_a_record_set(project: Project, server: RecordingServer) -> None:
    """Records as JSONL, JSON, CSV, gzipped, or from an iterable each arrive at the endpoint."""
    project.records(PRODUCTS)
    project.write("records.json", json.dumps(PRODUCTS, indent=2))
    project.write("records.jsonl.gz", gzip.compress((project.root / "records.jsonl").read_bytes()))
    inputs: list[Any] = ["records.jsonl", "records.json", "records.jsonl.gz", PRODUCTS, iter(PRODUCTS)]
    for records in inputs:
        server.clear()
        report = haulier.send(to(server), records, again=True)
        assert (report.state, report.read, report.delivered, report.exit_code) == ("finished", 3, 3, 0)
        assert in_order([seen.json for seen in server.seen], "sku") == PRODUCTS
        assert {(seen.method, seen.target) for seen in server.seen} == {("POST", "/in")}
    server.clear()
    project.write("records.csv", 'code,name\n007,Thigpen\n010,"Bay, ""Springs"""\n')
    assert haulier.send(to(server), "records.csv").ok
    arrived = in_order([seen.json for seen in server.seen], "code")
    assert arrived == [{"code": "007", "name": "Thigpen"}, {"code": "010", "name": 'Bay, "Springs"'}]
    project.destination("products", to(server))
    for given, piped in (("records.jsonl", ""), ("-", (project.root / "records.json").read_text())):
        server.clear()
        options = ("--format", "json") if piped else ()
        ended = project.haulier(
            "run", "products", "--records", given, *options, "--activate", "--json", stdin=piped
        )
        assert (ended.json["delivered"], ended.json["ok"]) == (3, True)
        assert in_order([seen.json for seen in server.seen], "sku") == PRODUCTS


def test_f02_choose_the_connector(project: Project, imagga: Imagga) -> None:
    """Installed connectors are listed; `imagga` is taken by name; a wrong name gives the names there are."""
    credential = project.add_credential(imagga.url)
    new = ("destination", "new")
    chosen = ("--endpoint", "usage", "--base-url", imagga.url, "--credential", credential)
    listed, shown, _ = project.together(
        ("connectors", "--json"), ("connectors",), (*new, "mine", "--connector", "imagga", *chosen)
    )
    connectors = {one["name"]: one for one in listed.json["connectors"]}
    assert connectors["imagga"]["origin"] == "https://api.imagga.com"
    assert "http" in connectors
    assert all(name in shown.said for name in connectors)
    project.records([{}])
    project.haulier("run", "mine", "--records", "records.jsonl", "--activate")
    assert (imagga.only.target, imagga.only.status) == ("/v2/usage", 200)
    wrong = project.haulier(*new, "other", "--connector", "imaga", "--endpoint", "usage", code=2)
    assert "imaga" in wrong.err
    assert "did you mean 'imagga'?" in wrong.said
    assert not (project.root / "destinations/other.yaml").exists()


def test_f03_use_an_existing_credential(project: Project, imagga: Imagga) -> None:
    """A destination names a stored credential; the server sees it, nobody else does."""
    said = [project.haulier("credential", "add", "imagga", "--name", "prod", "--origin", imagga.url,
                            "--value", f"api_key={DEMO_KEY}", "--value", f"api_secret={DEMO_SECRET}")]  # fmt: skip
    project.destination("usage", imagga.to("usage", credential="prod"))
    project.records([{}])
    with_records = ("usage", "--records", "records.jsonl")
    said += project.together(
        ("credential", "list"),
        ("destination", "show", "usage"),
        ("preview", *with_records, "--full"),
        ("test", *with_records, "--json"),
        ("run", *with_records, "--activate"),
    )
    assert [one.user for one in imagga.requests] == [DEMO_KEY, DEMO_KEY], "test and run signed in"
    pair = base64.b64encode(f"{DEMO_KEY}:{DEMO_SECRET}".encode()).decode()
    for ended in said:
        for secret in (DEMO_KEY, DEMO_SECRET, pair):
            assert secret not in ended.out + ended.err, ended.arguments
    assert "prod" in said[1].out
    wrong = imagga.to("usage", credential="prdo")
    with pytest.raises(haulier.CredentialError, match="did you mean `prod`"):
        haulier.send(wrong, [{}])


def test_f04_create_a_credential_in_the_flow(project: Project, imagga: Imagga) -> None:
    """From the prompt (hidden), a file or the environment; checked with GET /v2/usage, and used at once."""
    project.records([{}])
    project.write("secret.txt", DEMO_SECRET + "\n")
    common = ("--origin", imagga.url, "--check")
    talk = [("api_key", DEMO_KEY), ("api_secret", DEMO_SECRET)]
    # What was typed at a prompt is checked without being told to.
    shown = project.at_terminal("credential", "add", "imagga", "--name", "typed", *common[:2], talk=talk)
    told = (
        "credential typed is good",
        "plan   1,000,000 requests a month",
        "used   0",
        "left   1,000,000",
        "reset  20",
    )
    assert [one for one in told if one not in shown] == []
    assert DEMO_KEY not in shown
    assert DEMO_SECRET not in shown
    project.environment |= {"IMAGGA_API_KEY": DEMO_KEY, "IMAGGA_API_SECRET": DEMO_SECRET}
    add = ("credential", "add", "imagga", *common, "--name")
    from_file = ("--value", f"api_key={DEMO_KEY}", "--value", "api_secret=file:secret.txt")
    project.together((*add, "from-file", *from_file), (*add, "from-env", "--from-env"))
    checks = [(one.method, one.target, one.user, one.status) for one in imagga.requests]
    assert checks == [("GET", "/v2/usage?concurrency=1", DEMO_KEY, 200)] * 3
    imagga.emulator.log.clear()
    names = ("typed", "from-file", "from-env")
    for name in names:
        project.destination(name, imagga.to("usage", credential=name))
    project.together(*(("run", name, "--records", "records.jsonl", "--activate") for name in names))
    assert [(one.user, one.status) for one in imagga.requests] == [(DEMO_KEY, 200)] * 3
    bad = ("--value", f"api_key={DEMO_KEY}", "--value", "api_secret=wrong-one")
    ended = project.haulier(*add, "bad", *bad, code=2)
    assert "401" in ended.said
    assert "wrong-one" not in ended.said


def test_f05_two_ways_to_configure(project: Project, imagga: Imagga) -> None:
    """By template and by hand give the same kind of file, which reads as the same kind of object and sends the same."""
    credential = project.add_credential(imagga.url)
    common = ("--connector", "imagga", "--credential", credential, "--base-url", imagga.url)
    template = ("--endpoint", "tag-image", "--param", "image_url={record.url}")
    url = "https://api.imagga.com/v2/tags?image_url={record.url}"
    by_hand = ("--method", "GET", "--url", url, "--exclude", "id,url")
    new = ("destination", "new")
    project.together((*new, "by-template", *common, *template), (*new, "by-hand", *common, *by_hand))
    names = ("by-template", "by-hand")
    for name, checked in zip(
        names, project.together(*(("destination", "check", name) for name in names)), strict=True
    ):
        assert type(load_destination(project.root / f"destinations/{name}.yaml")) is haulier.Destination
        assert f"{name}: ok" in checked.said
    project.records(URLS[:1])
    targets = []
    for name in names:
        imagga.emulator.log.clear()
        project.haulier("run", name, "--records", "records.jsonl", "--activate")
        assert imagga.only.status == 200
        targets.append(imagga.only.target)
    assert (
        targets[0]
        == targets[1]
        == ("/v2/tags?image_url=https%3A%2F%2Fexample.com%2Fpictures%2F0.jpg%3Fsize%3D2%26big")
    )


def test_f06_connector_wording(project: Project, server: RecordingServer) -> None:
    """After any source: whatever gives records, a generator or a push loop, plugs into the same destination."""

    def source() -> Any:
        for product in PRODUCTS:
            yield product | {"from": "generator"}

    assert haulier.send(to(server), source()).ok
    with haulier.open_run(to(server)) as run:
        run.write([product | {"from": "push"} for product in PRODUCTS[:2]])
        run.flush()
        assert sum(seen.json["from"] == "push" for seen in server.seen) == 2, (
            "flush returns when they were sent"
        )
        run.write([PRODUCTS[2] | {"from": "push"}])
    assert run.report is not None
    assert (run.report.state, run.report.delivered) == ("finished", 3)
    for origin in ("generator", "push"):
        arrived = [seen.json for seen in server.seen if seen.json["from"] == origin]
        assert in_order(arrived, "sku") == [product | {"from": origin} for product in PRODUCTS]


def test_f07_endpoints_with_information(project: Project) -> None:
    """All templates are listed; one is shown with method, URL, formats, parameters and notes."""
    names = ("upload-image", "categorize-image")
    listed, *pages = project.together(
        ("endpoints", "imagga"), *(("endpoints", "imagga", name) for name in names)
    )
    for template in TEMPLATES:
        (line,) = [line for line in listed.out.splitlines() if line.split()[:1] == [template.name]]
        assert line.split()[1:3] == [template.method, template.path]
    for name, page in zip(names, pages, strict=True):
        (template,) = [one for one in TEMPLATES if one.name == name]
        facts = [f"{template.method} https://api.imagga.com{template.path}", template.title]
        facts += [text for one in template.parameters for text in (one.name, one.description)]
        for fact in (*facts, *template.content_formats, *template.notes, template.source):
            assert " ".join(fact.split()) in page.said, (name, fact)
    ended = project.haulier("endpoints", "imagga", "upload-imag", code=2)
    assert "did you mean 'upload-image'?" in ended.said


# -- uploads ---------------------------------------------------------------------------------------------------------


def test_f08_upload_image_file(project: Project, imagga: Imagga) -> None:
    """POST /v2/uploads with the file's bytes as part `image`; nothing in the path."""
    upload(project, imagga)
    assert {(one.method, one.target, one.status) for one in imagga.requests} == {("POST", "/v2/uploads", 200)}
    arrived = {}
    for one in imagga.requests:
        assert one.body is not None
        (part,) = parts_of(one.header("content-type") or "", one.body)
        assert (part.name, part.media_type) == ("image", "image/png")
        arrived[part.filename] = part.content
    assert arrived == {f"{n}.png": (project.root / f"pictures/{n}.png").read_bytes() for n in range(3)}


def test_f09_upload_id_per_record(project: Project, imagga: Imagga) -> None:
    """The id out of each response stands beside the record's key in the output; the emulator knows it."""
    lines = upload(project, imagga)
    assert [line["key"] for line in lines] == ["P-0", "P-1", "P-2"]
    assert [(line["state"], line["status"]) for line in lines] == [("delivered", 200)] * 3
    for number, line in enumerate(lines):
        service = imagga.emulator.service
        picture = service.uploads.get(DEMO_KEY, line["upload_id"], service.clock.now())
        assert (picture.width, picture.height) == (20 + number, 10), (
            "each record has the id of its own picture"
        )


def test_f10_upload_id_is_usable_in_later_calls(project: Project, imagga: Imagga) -> None:
    """Tags, categories and colours take the output of the upload as their records, with nothing edited between."""
    ids = [line["upload_id"] for line in upload(project, imagga)]
    by_id = {"params": {"image_upload_id": "{record.upload_id}"}}
    later = {
        "/v2/tags": imagga.to("tag-image", **by_id),
        "/v2/categories/personal_photos": imagga.to(
            "categorize-image", params={**by_id["params"], "categorizer_id": "personal_photos"}
        ),
        "/v2/colors": imagga.by_hand(
            "GET",
            "https://api.imagga.com/v2/colors?image_upload_id={record.upload_id}",
            {"attributes": "none"},
        ),
    }
    for path, destination in later.items():
        imagga.emulator.log.clear()
        report = haulier.send(destination, "out/uploads.jsonl", credential=imagga.credential)
        assert report.ok, (path, report)
        assert sorted(one.target for one in imagga.requests) == sorted(
            f"{path}?image_upload_id={i}" for i in ids
        )
        assert {(one.method, one.status) for one in imagga.requests} == {("GET", 200)}


def test_f11_uploads_are_temporary_and_cleaned_up(project: Project, imagga: Imagga) -> None:
    """Docs and the endpoint's page state the 24 hours; `haulier imagga cleanup` deletes what an output wrote down."""
    assert "24 hours" in project.haulier("endpoints", "imagga", "upload-image").said
    uploads = upload(project, imagga, 3)
    project.add_credential(imagga.url)
    project.write("left.jsonl", "".join(json.dumps(line) + "\n" for line in [*uploads, uploads[0], {"x": 1}]))
    imagga.emulator.log.clear()
    command = ("imagga", "cleanup", "left.jsonl", "--credential", "imagga-test", "--base-url", imagga.url)
    assert "3 uploads would be deleted for good" in project.haulier(*command, code=2).err
    assert imagga.requests == [], "it asks first"
    assert project.haulier(*command, "--yes").out == "3 uploads: 3 are gone, 0 were refused\n"
    gone = sorted(one.target for one in imagga.requests)
    assert gone == sorted(f"/v2/uploads/{line['upload_id']}" for line in uploads)
    again = project.haulier(*command, "--yes", "--json").json
    counts = {
        "version": 1,
        "uploads": 3,
        "lines_without": 1,
        "gone": 3,
        "not_found": 0,
        "refused": 0,
        "in_doubt": 0,
        "left": 0,
    }
    assert again == counts, "what is gone is gone"
    project.write("odd.jsonl", '{"upload_id": ".."}\n')
    odd = project.haulier("imagga", "cleanup", "odd.jsonl", *command[3:], "--yes", code=4)
    assert odd.out == "1 uploads: 0 are gone, 1 were refused\n"
    shown = odd.err.partition("which ids, and why: haulier ")[2].split()
    assert ".." in project.haulier(*shown).said
    project.write("strange.jsonl", '{"upload_id": "i05e1"}\n{"upload_id": "i05e2"}\n')
    strange = project.haulier("imagga", "cleanup", "strange.jsonl", *command[3:], "--yes")
    assert strange.out == "2 uploads: none of them was found\n"
    assert "another account than that of credential `imagga-test`" in strange.err
    astray = project.haulier(
        "imagga", "cleanup", "strange.jsonl", *command[3:-1], f"{imagga.url}/api", "--yes", code=5
    )
    assert astray.out == "2 uploads: 0 are gone, 0 were refused, 2 are in doubt\n"
    assert "i05e1: Imagga answered 404 at /api/v2/uploads/i05e1" in astray.err, "which, and why"
    doubled = project.haulier(*command[:-1], f"{imagga.url}/v2", "--yes", code=2).err
    assert "base_url: ends with /v2" in doubled, "a 404 of no upload's is never taken for a deletion"


def test_f12_delete_uploaded_image(project: Project, imagga: Imagga) -> None:
    """DELETE /v2/uploads/{uploadId} with a constant or a record's id, escaped so that it stays one path segment."""
    first, second, third = (line["upload_id"] for line in upload(project, imagga))
    service = imagga.emulator.service

    def send(given: str, records: list[dict[str, Any]]) -> haulier.Report:
        imagga.emulator.log.clear()
        destination = imagga.to("delete-upload", params={"uploadId": given})
        return haulier.send(destination, records, credential=imagga.credential)

    assert send(first, [{}]).ok
    assert (imagga.only.method, imagga.only.target, imagga.only.status) == (
        "DELETE",
        f"/v2/uploads/{first}",
        200,
    )
    assert imagga.only.body == b""
    assert send("{record.upload_id}", [{"upload_id": second, "other": 1}]).ok
    assert (imagga.only.target, imagga.only.status) == (f"/v2/uploads/{second}", 200)
    assert service.uploads.get(DEMO_KEY, third, service.clock.now()).width == 22, "the third is still there"
    send("{record.upload_id}", [{"upload_id": "a b/c?d#é"}])
    assert imagga.only.target == "/v2/uploads/a%20b%2Fc%3Fd%23%C3%A9"


def test_f13_deleting_asks_first(project: Project, imagga: Imagga) -> None:
    """Deletion warns and asks; `--yes` skips that; without a person or an id nothing is called."""
    ids = [line["upload_id"] for line in upload(project, imagga, 2)]
    imagga.emulator.log.clear()
    credential = project.add_credential(imagga.url)
    by_record = {"uploadId": "{record.upload_id}"}
    project.destination("delete", imagga.to("delete-upload", credential=credential, params=by_record))
    project.haulier("activate", "delete")
    run = ("run", "delete", "--records")
    for number, upload_id in enumerate(ids):
        project.records([{"upload_id": upload_id}], f"{number}.jsonl")
    refused = project.haulier(*run, "0.jsonl", code=2)
    assert "cannot be recovered" in refused.said
    assert "--yes" in refused.said
    shown = project.at_terminal(*run, "0.jsonl", talk=[("Go on?", "n")], code=2)
    assert "cannot be recovered" in shown
    assert imagga.requests == [], "asked, answered no: nothing was called"
    project.at_terminal(*run, "0.jsonl", talk=[("Go on?", "y")])
    project.haulier(*run, "1.jsonl", "--yes")
    assert [(one.target, one.status) for one in imagga.requests] == [
        (f"/v2/uploads/{one}", 200) for one in ids
    ]
    imagga.emulator.log.clear()
    project.destination("no-id", imagga.to("delete-upload", credential=credential))
    ended = project.haulier("run", "no-id", "--records", "0.jsonl", "--activate", "--yes", code=2)
    assert "params.uploadId is missing" in ended.said
    project.records([{"id": 1}, {"upload_id": ""}, {"upload_id": None}, {"upload_id": ".."}], "none.jsonl")
    ended = project.haulier(*run, "none.jsonl", "--yes", "--json", code=4)
    assert (ended.json["rejected"], ended.json["attempts"]) == (4, 0)
    assert imagga.requests == [], "without an id nothing is called"


# -- feedback and faces ----------------------------------------------------------------------------------------------


def test_f14_tag_feedback(project: Project, imagga: Imagga) -> None:
    """POST /v2/tags/feedback with the record as JSON; marked as not verified wherever it is described."""
    record = {"image_url": "https://example.com/a.jpg", "tags": ["beach", "sea"], "feedback": "positive"}
    assert haulier.send(imagga.to("tag-feedback"), [record], credential=imagga.credential).ok
    assert (imagga.only.method, imagga.only.target) == ("POST", "/v2/tags/feedback")
    assert imagga.only.header("content-type") == "application/json"
    assert imagga.only.body is not None
    assert json.loads(imagga.only.body) == record
    said = project.haulier("endpoints", "imagga", "tag-feedback").said
    assert "Not verified" in said


def test_f15_positive_and_negative_signal(project: Project, imagga: Imagga) -> None:
    """Both polarities arrive, from the record or from `params`; a third is refused before anything is sent."""
    records = [
        {"image_url": f"https://example.com/{word}.jpg", "feedback": word}
        for word in ("positive", "negative")
    ]
    assert haulier.send(imagga.to("tag-feedback"), records, credential=imagga.credential).ok
    negative = imagga.to("tag-feedback", params={"feedback": "negative"})
    assert haulier.send(negative, [{"tags": ["cat"]}], credential=imagga.credential).ok
    arrived = [json.loads(one.body or b"") for one in imagga.requests]
    assert sorted(arrived[:2], key=lambda body: body["feedback"]) == [records[1], records[0]]
    assert arrived[2:] == [{"tags": ["cat"], "feedback": "negative"}]
    with pytest.raises(
        haulier.DestinationError, match=r"params\.feedback: 'negativ' .*did you mean negative"
    ):
        haulier.send(
            imagga.to("tag-feedback", params={"feedback": "negativ"}), [{}], credential=imagga.credential
        )
    assert len(imagga.requests) == 3


def grouped_faces(
    project: Project, imagga: Imagga, *, follow: bool = False
) -> tuple[haulier.Report, list[str]]:
    """Detect faces in six pictures and group them; the report of the grouping and the face ids."""
    detect = imagga.to(
        "detect-faces",
        key="id",
        params={"image_url": "{record.url}", "return_face_id": True},
        outputs=[{"to": "jsonl", "path": "out/faces.jsonl"}],
    )
    records = [{"id": n, "url": f"https://example.com/people/{n}.jpg"} for n in range(6)]
    assert haulier.send(detect, records, credential=imagga.credential).ok
    faces = [line["face_id"] for line in project.lines("out/faces.jsonl")]
    imagga.emulator.log.clear()
    group = imagga.to("group-faces", outputs=[{"to": "jsonl", "path": "out/groups.jsonl"}])
    report = haulier.send(group, "out/faces.jsonl", credential=imagga.credential, follow=follow)
    return report, faces


def test_f16_face_groupings(project: Project, imagga: Imagga) -> None:
    """One POST /v2/faces/groupings whose `faces` are the ids of all records, as text."""
    _, faces = grouped_faces(project, imagga)
    assert len(set(faces)) == 6
    assert (imagga.only.method, imagga.only.target) == ("POST", "/v2/faces/groupings")
    assert imagga.only.body is not None
    assert json.loads(imagga.only.body) == {"faces": faces}
    odd = [{"face_id": value} for value in (*faces, None, 7)]
    report = haulier.send(imagga.to("group-faces"), odd, credential=imagga.credential, follow=False)
    assert (report.accepted, report.rejected) == (6, 2), "one without an id takes no other along"
    imagga.emulator.log.clear()
    few = haulier.send(imagga.to("group-faces"), odd[2:], credential=imagga.credential)
    assert (few.rejected, few.attempts, imagga.requests) == (6, 0, []), (
        "four ids are not enough: nothing is sent"
    )


def test_f17_ticket_id_is_surfaced(project: Project, imagga: Imagga) -> None:
    """The call's ticket stands in its output line, and get-ticket takes that line as a record."""
    report, _ = grouped_faces(project, imagga)
    assert (report.read, report.accepted, report.exit_code) == (6, 6, 5)
    (line,) = project.lines("out/groups.jsonl")
    assert (line["state"], line["ticket_id"]) == ("accepted", line["ticket"])
    imagga.emulator.log.clear()
    ask = imagga.to("get-ticket", params={"ticket_id": "{record.ticket_id}"})
    assert haulier.send(ask, "out/groups.jsonl", credential=imagga.credential).ok
    assert (imagga.only.target, imagga.only.status) == (f"/v2/tickets/{line['ticket_id']}", 200)


def test_f18_a_job_is_polled_to_its_end(project: Project, imagga: Imagga) -> None:
    """One call polls the ticket until the answer is final, and keeps the one final answer."""
    report, faces = grouped_faces(project, imagga, follow=True)
    assert (report.read, report.delivered, report.exit_code) == (6, 6, 0)
    targets = [one.target for one in imagga.requests[1:]]
    assert len(targets) == 3, "the emulator's jobs are done at the third question"
    assert len(set(targets)) == 1
    assert targets[0].startswith("/v2/tickets/")
    lines = project.lines("out/groups.jsonl")
    assert [(line["state"], line["face_id"]) for line in lines] == [("delivered", face) for face in faces]
    assert all(isinstance(line["group"], int) for line in lines)
    again = haulier.send(
        imagga.to("group-faces", outputs=[{"to": "jsonl", "path": "out/groups.jsonl"}]),
        "out/faces.jsonl",
        credential=imagga.credential,
    )
    assert (again.repeated, again.delivered, len(imagga.requests)) == (True, 6, 4), "nothing is asked twice"


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_f21_any_imagga_endpoint_by_hand(project: Project, imagga: Imagga, server: RecordingServer) -> None:
    """Any URL and method can be written and sent, those of Imagga and any other."""
    uploaded = upload(project, imagga, 1)[0]["upload_id"]
    imagga.emulator.log.clear()
    calls = [
        ("GET", "/v2/usage", {"attributes": "none"}, {}),
        ("GET", "/v2/categorizers", {"attributes": "none"}, {}),
        ("GET", "/v2/colors?image_upload_id={record.upload_id}", {"attributes": "none"}, {}),
        ("POST", "/v2/tags/feedback", {}, {}),
        ("DELETE", "/v2/uploads/{record.upload_id}", {}, {}),
    ]
    for method, path, request, settings in calls:
        destination = imagga.by_hand(method, "https://api.imagga.com" + path, request, **settings)
        report = haulier.send(destination, [{"upload_id": uploaded}], credential=imagga.credential)
        assert report.ok, (method, path, report)
    assert [(one.method, one.target, one.status) for one in imagga.requests] == [
        ("GET", "/v2/usage", 200),
        ("GET", "/v2/categorizers", 200),
        ("GET", f"/v2/colors?image_upload_id={uploaded}", 200),
        ("POST", "/v2/tags/feedback", 200),
        ("DELETE", f"/v2/uploads/{uploaded}", 200),
    ]
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert haulier.send(to(server, method, f"/any/{method.lower()}", request_attributes="none"), [{}]).ok
    assert [(seen.method, seen.target) for seen in server.seen] == [
        (method, f"/any/{method.lower()}") for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    ]


def test_f22_image_urls_by_hand(project: Project, imagga: Imagga, server: RecordingServer) -> None:
    """Image URLs reach tags and categories by the query of a GET; by POST, or to uploads, a warning says so.

    To uploads they go as files, fetched where the destination says so.
    """
    imagga_url = "https://api.imagga.com/v2/"
    for call in ("tags", "categories/personal_photos", "colors"):
        imagga.emulator.log.clear()
        url = f"{imagga_url}{call}?image_url={{record.url}}"
        report = haulier.send(
            imagga.by_hand("GET", url, {"attributes": "none"}), URLS, credential=imagga.credential
        )
        assert report.ok, (call, report)
        assert sorted(one.target for one in imagga.requests) == [
            f"/v2/{call}?image_url=https%3A%2F%2Fexample.com%2Fpictures%2F{n}.jpg%3Fsize%3D2%26big"
            for n in range(3)
        ]
    unsupported = {"tags": "write `method: GET`", "uploads": "GET /v2/tags?image_url="}
    for call, way_out in unsupported.items():
        destination = imagga.by_hand(
            "POST", f"{imagga_url}{call}?image_url={{record.url}}", {"content_format": "form"}
        )
        warnings = haulier.check(destination, credential=imagga.credential).warnings
        assert [way_out in warning for warning in warnings] == [True], (call, warnings)
    # What Imagga does not do with a URL is done here, where it is asked for: fetched, and uploaded as a file.
    picture = png(30, 20, shade=7)
    server.answer = lambda _: Reply(body=picture, headers={"Content-Type": "image/png"})
    imagga.emulator.log.clear()
    destination = imagga.by_hand(
        "POST",
        f"{imagga_url}uploads",
        {"content_format": "multipart", "files": {"image": "{record.url}"}, "attributes": "none"},
    )
    record = {"url": f"{server.url}/own/30.png?size=2"}
    assert (
        haulier.send(destination | {"files_root": "."}, [record], credential=imagga.credential).rejected == 1
    )
    assert haulier.send(destination | {"fetch": True}, [record], credential=imagga.credential).rejected == 1
    assert server.seen == [], "a private address, which nobody allowed"
    fetching = destination | {"fetch": {"allow": ["127.0.0.1"]}}
    assert haulier.send(fetching, [record], credential=imagga.credential).ok
    assert [(one.method, one.target) for one in server.seen] == [("GET", "/own/30.png?size=2")]
    assert imagga.only.target == "/v2/uploads"
    assert b'filename="30.png"' in imagga.only.body
    assert picture in imagga.only.body


def test_f23_method_post(project: Project, server: RecordingServer) -> None:
    """A POST carries the record in its body, in the chosen format, with its length and type."""
    for chosen in ("json", "form", "multipart"):
        server.clear()
        assert haulier.send(to(server, request_content_format=chosen), [{"a": "x", "b": "ä"}]).ok
        seen = server.only
        assert (seen.method, seen.target) == ("POST", "/in")
        assert seen.header("Content-Length") == str(len(seen.body))
        read = {
            "json": lambda seen: list(seen.json.items()),
            "form": lambda seen: seen.form,
            "multipart": lambda seen: [(part.name, part.content.decode()) for part in seen.parts()],
        }[chosen]
        assert read(seen) == [("a", "x"), ("b", "ä")]


def test_f24_method_get(project: Project, server: RecordingServer) -> None:
    """A GET carries the attributes as escaped query parameters behind those of the URL, and has no body."""
    record = {
        "q": "a b&c=d",
        "ö": "ü/?#",
        "n": 1.5,
        "yes": True,
        "none": None,
        "big": 12345678901234567890123,
    }
    assert haulier.send(to(server, "GET", "/find?fixed=1"), [record]).ok
    seen = server.only
    assert seen.method == "GET"
    assert seen.target == (
        "/find?fixed=1&q=a%20b%26c%3Dd&%C3%B6=%C3%BC%2F%3F%23&n=1.5&yes=true&big=12345678901234567890123"
    )
    assert (seen.body, seen.every("Content-Type"), seen.every("Transfer-Encoding")) == (b"", [], [])
    assert seen.header("Content-Length") in (None, "0")


def test_f25_content_format_choice(project: Project, server: RecordingServer) -> None:
    """One setting changes the format; the values arrive the same and Content-Type says what is inside."""
    record = {"sku": "HL 1", "title": "Café & crème", "count": 3}
    types, values = {}, {}
    for chosen in ("json", "form", "multipart"):
        server.clear()
        assert haulier.send(to(server, content_format=chosen), [record]).ok
        types[chosen] = server.only.header("Content-Type")
        if chosen == "json":
            values[chosen] = {name: str(value) for name, value in server.only.json.items()}
        elif chosen == "form":
            values[chosen] = dict(server.only.form)
        else:
            values[chosen] = {part.name: part.content.decode() for part in server.only.parts()}
    expected = {"sku": "HL 1", "title": "Café & crème", "count": "3"}
    assert values == dict.fromkeys(types, expected)
    assert (types["json"], types["form"]) == ("application/json", "application/x-www-form-urlencoded")
    assert (types["multipart"] or "").startswith("multipart/form-data; boundary=")


def test_f25_every_format_of_records_that_travel_together(project: Project, server: RecordingServer) -> None:
    """The same records as JSON, JSON lines, CSV, XML and text: one setting, and each says what it is."""
    records = [{"sku": "HL 1", "title": 'Caf\u00e9 & <cr\u00e8me>, "1"'}, {"sku": "HL 2", "title": "=x\r\ny"}]
    read: dict[str, tuple[str, Callable[[bytes], list[list[str]]]]] = {
        "json": ("application/json", lambda body: [list(one.values()) for one in json.loads(body)]),
        "ndjson": (
            "application/x-ndjson",
            lambda body: [list(json.loads(one).values()) for one in body.splitlines()],
        ),
        "csv": (
            "text/csv; charset=utf-8",
            lambda body: list(csv.reader(io.StringIO(body.decode(), newline="")))[1:],
        ),
        "xml": (
            "application/xml",
            lambda body: [[str(one.text) for one in each] for each in ET.fromstring(body)],
        ),
        "text": (
            "text/plain; charset=utf-8",
            lambda body: [one.split("|") for one in body.decode().split("||")],
        ),
    }
    template = {"template": "{record.sku}|{record.title}", "separator": "||"}
    for chosen, (media_type, decoded) in read.items():
        server.clear()
        settings = {"format_settings": template} if chosen == "text" else {}
        assert haulier.send(to(server, content_format=chosen, batching=True, **settings), records).ok
        assert server.only.header("Content-Type") == media_type
        assert decoded(server.only.body) == [list(record.values()) for record in records]


def test_f25_a_format_that_cannot_is_refused_before_anything_is_sent(
    project: Project, server: RecordingServer
) -> None:
    """A batch in a form, a property around rows of a CSV: `destination check` says so, and what could be."""
    grouping = {"name": "property", "property_name": "rows"}
    for chosen, batching in (("form", True), ("bytes", True), ("csv", {"grouping": grouping})):
        project.destination("acceptance", to(server, content_format=chosen, batching=batching))
        told = project.haulier("destination", "check", "acceptance", code=2).said
        assert f"content format {chosen}" in told
        assert "json" in told
    assert server.seen == []


def test_f26_json_keeps_nested_values(project: Project, server: RecordingServer) -> None:
    """Whatever JSON can say arrives as it was, whether the record is passed on untouched or taken apart."""
    record = {
        "deep": {"a": [1, [2, {"b": None}]], "empty": {}, "list": []},
        "big": 12345678901234567890123,
        "small": 1e-7,
        "yes": True,
        "text": '\u0000 \\ " 💡 \u2028',
        "gone": "no",
    }
    project.records([record])
    for exclude in ([], ["gone"]):
        server.clear()
        assert haulier.send(to(server, exclude=exclude), "records.jsonl", again=True).ok
        expected = {name: value for name, value in record.items() if name not in exclude}
        assert server.only.json == expected
        assert type(server.only.json["big"]) is int


def test_f27_url_encoded_form(project: Project, server: RecordingServer, imagga: Imagga) -> None:
    """Scalars are encoded, booleans are words or, where the template says so, digits; nested values by choice."""
    record = {"text": "a b&ü=1", "n": 2, "x": 0.25, "yes": True, "no": False, "none": None}
    form = {"request_content_format": "form"}
    assert haulier.send(to(server, **form), [record]).ok
    assert server.only.body == b"text=a+b%26%C3%BC%3D1&n=2&x=0.25&yes=true&no=false"
    assert server.only.header("Content-Type") == "application/x-www-form-urlencoded"
    server.clear()
    digits = to(server, **form, format_settings={"booleans": "digits"})
    assert haulier.send(digits, [{"yes": True, "no": False}]).ok
    assert server.only.body == b"yes=1&no=0"
    # Imagga's templates say digits by themselves, wherever a boolean goes.
    params = {"image_url": "{record.url}", "verbose": True, "decrease_parents": "{record.flag}"}
    assert haulier.send(
        imagga.to("tag-image", params=params), [URLS[0] | {"flag": False}], credential=imagga.credential
    ).ok
    assert imagga.only.target.endswith("&verbose=1&decrease_parents=0")
    server.clear()
    nested = [{"ok": 1}, {"tags": ["a", "b"]}]
    report = haulier.send(to(server, **form), nested)
    assert (report.delivered, report.rejected, report.exit_code) == (1, 1, 4)
    assert server.only.body == b"ok=1"
    server.clear()
    assert haulier.send(to(server, **form, format_settings={"nested": "json"}), nested[1:]).ok
    assert server.only.form == [("tags", '["a","b"]')]


def test_f28_multipart_files(project: Project, server: RecordingServer) -> None:
    """A file by its path, bytes from Python and base64 text all arrive as file parts with the same bytes."""
    picture = png(30, 20, shade=99)
    project.write("pictures/30.png", picture)
    text = base64.b64encode(picture).decode()
    by_path = to(
        server,
        request_content_format="multipart",
        request_files={"image": "{record.file}"},
        files_root="pictures",
    )
    inside = to(
        server,
        request_content_format="multipart",
        format_settings={"base64": {"image": {"filename": "30.png", "media_type": "image/png"}}},
    )
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (by_path | {"exclude": ["file"]}, {"sku": "P", "file": "30.png"}),
        (inside, {"sku": "P", "image": text}),
        (inside, {"sku": "P", "image": picture}),
    ]
    for destination, record in cases:
        server.clear()
        report = haulier.send(destination, [record])
        assert report.ok, (record, report)
        sku, image = server.only.parts()
        assert (sku.name, sku.filename, sku.content) == ("sku", None, b"P")
        assert (image.name, image.filename, image.media_type) == ("image", "30.png", "image/png")
        assert image.content == picture


def test_f29_format_is_checked_against_the_endpoint(project: Project, imagga: Imagga) -> None:
    """A format that a known endpoint does not take is warned about, naming the right one."""
    base64_by_json = imagga.to("upload-image", params={"image_base64": "{record.b64}"}, content_format="json")
    by_hand = {
        ("tags/feedback", "form"): "takes json, not form",
        ("faces/groupings", "multipart"): "takes json, not multipart",
        ("uploads", "json"): "takes multipart (file part `image`) or form",
    }
    (warning,) = haulier.check(base64_by_json, credential=imagga.credential).warnings
    assert "does not take the content format json; write content_format: multipart" in warning
    for (call, chosen), right in by_hand.items():
        destination = imagga.by_hand("POST", f"https://api.imagga.com/v2/{call}", {"content_format": chosen})
        warnings = haulier.check(destination, credential=imagga.credential).warnings
        assert any(right in warning for warning in warnings), (call, warnings)
        assert haulier.preview(destination, [{"a": 1}]).warnings == warnings, "the preview says the same"
    right_one = imagga.by_hand("POST", "https://api.imagga.com/v2/tags/feedback", {"content_format": "json"})
    assert haulier.check(right_one, credential=imagga.credential).warnings == ()


def test_f30_url_field(project: Project, server: RecordingServer) -> None:
    """The URL is required, http(s) only, and `{record.name}` is filled in for each record."""
    url = "/items/{record.sku}/{record.place.shelf}?q={record.title}"
    records = [
        {"sku": "A/1", "title": "x&y=z", "place": {"shelf": 4}},
        {"sku": "é", "title": "", "place": {"shelf": 5}},
    ]
    assert haulier.send(to(server, path=url, request_attributes="none"), records).ok
    assert sorted(seen.target for seen in server.seen) == ["/items/%C3%A9/5?q=", "/items/A%2F1/4?q=x%26y%3Dz"]
    server.clear()
    for request in (
        {"method": "POST"},
        *({"url": bad} for bad in ("ftp://h/x", "/in", "", "{record.url}", "http://")),
    ):
        with pytest.raises(haulier.ConfigurationError, match=r"url"):
            haulier.send({"name": "bad", "request": request}, [{"url": server.url}])
    assert server.seen == []
    report = haulier.send(to(server, path="/items/{record.sku}"), [{"other": 1}])
    assert (report.rejected, server.seen) == (1, []), "a record without the attribute is rejected, not sent"


# -- presets ---------------------------------------------------------------------------------------------------------


def test_f31_preset_image_tagging(project: Project, imagga: Imagga) -> None:
    """/v2/tags works with a URL, an upload id and a file; the tags of each record come back."""
    uploaded = upload(project, imagga, 1)[0]["upload_id"]
    ways = [
        ("tag-image", {"image_url": "{record.url}"}, "GET"),
        ("tag-image", {"image_upload_id": "{record.upload_id}"}, "GET"),
        ("tag-image-file", {"image": "{record.file}"}, "POST"),
        ("tag-image-file", {"image_base64": "{record.b64}"}, "POST"),
    ]
    b64 = base64.b64encode((project.root / "pictures/0.png").read_bytes()).decode()
    record = {"url": URLS[0]["url"], "upload_id": uploaded, "file": "0.png", "b64": b64}
    found = []
    for number, (endpoint, params, method) in enumerate(ways):
        imagga.emulator.log.clear()
        out = f"out/tags-{number}.jsonl"
        destination = imagga.to(
            endpoint,
            params={**params, "limit": 3},
            files_root="pictures",
            outputs=[{"to": "jsonl", "path": out}],
        )
        report = haulier.send(destination, [record], credential=imagga.credential)
        assert report.ok, (endpoint, params, report)
        assert (imagga.only.method, imagga.only.path, imagga.only.status) == (method, "/v2/tags", 200)
        assert "limit=3" in imagga.only.target
        found.append(project.lines(out)[0]["tags"])
    assert [len(tags) for tags in found] == [3, 3, 3, 3]
    assert found[1] == found[2] == found[3], "three ways to name one picture find the same tags"


def test_f32_preset_categorization(project: Project, imagga: Imagga) -> None:
    """The categorizer comes from the setting or from the record; without one nothing is sent."""

    def send(categorizer: dict[str, Any], records: list[dict[str, Any]]) -> haulier.Report:
        imagga.emulator.log.clear()
        destination = imagga.to("categorize-image", params={"image_url": "{record.url}", **categorizer})
        return haulier.send(destination, records, credential=imagga.credential)

    assert send({"categorizer_id": "personal_photos"}, URLS[:1]).ok
    assert imagga.only.path == "/v2/categories/personal_photos"
    assert send({"categorizer_id": "{record.which}"}, [URLS[0] | {"which": "general_v3"}]).ok
    assert imagga.only.path == "/v2/categories/general_v3"
    with pytest.raises(haulier.DestinationError, match=r"params\.categorizer_id is missing"):
        send({}, URLS[:1])
    report = send(
        {"categorizer_id": "{record.which}"}, [URLS[0], URLS[1] | {"which": ""}, URLS[2] | {"which": None}]
    )
    assert (report.rejected, imagga.requests) == (3, [])


def test_f33_preset_upload_by_hand(project: Project, imagga: Imagga) -> None:
    """The upload written by hand sends the same file part as the template does."""
    upload(project, imagga, 1)
    by_template = imagga.only
    imagga.emulator.log.clear()
    destination = imagga.by_hand(
        "POST",
        "https://api.imagga.com/v2/uploads",
        {"content_format": "multipart", "files": {"image": "{record.file}"}, "attributes": "none"},
        files_root="pictures",
    )
    report = haulier.send(destination, [{"file": "0.png"}], credential=imagga.credential)
    assert report.ok, report
    assert (imagga.only.method, imagga.only.target, imagga.only.status) == ("POST", "/v2/uploads", 200)
    assert imagga.only.body == by_template.body
    assert imagga.only.header("content-type") == by_template.header("content-type")


def test_f34_preset_content_moderation(project: Project, imagga: Imagga) -> None:
    """/v2/categories/nsfw_beta works by template and by hand; a note names adult_content."""
    template = imagga.to("moderate-content", params={"image_url": "{record.url}"})
    by_hand = imagga.by_hand("GET", "https://api.imagga.com/v2/categories/nsfw_beta?image_url={record.url}")
    for destination in (template, by_hand | {"exclude": ["id", "url"]}):
        imagga.emulator.log.clear()
        assert haulier.send(destination, URLS[:1], credential=imagga.credential).ok
        assert imagga.only.target == (
            "/v2/categories/nsfw_beta?image_url=https%3A%2F%2Fexample.com%2Fpictures%2F0.jpg%3Fsize%3D2%26big"
        )
    assert any("adult_content" in warning for warning in haulier.check(by_hand).warnings)
    assert "adult_content" in project.haulier("endpoints", "imagga", "moderate-content").said


def test_f35_preset_face_detection(project: Project, imagga: Imagga) -> None:
    """/v2/faces/detections works; with `return_face_id` the ids come back, without it they do not."""
    for wished in (True, False, None):
        imagga.emulator.log.clear()
        out = f"out/faces-{wished}.jsonl"
        params = {"image_url": "{record.url}", "return_face_id": wished}
        destination = imagga.to("detect-faces", params=params, outputs=[{"to": "jsonl", "path": out}])
        assert haulier.send(destination, URLS[:1], credential=imagga.credential).ok
        query = {True: "&return_face_id=1", False: "&return_face_id=0", None: ""}[wished]
        assert imagga.only.target.partition("big")[2] == query
        ids = [face["face_id"] for face in project.lines(out)[0]["faces"]]
        assert ids
        assert all(ids) == (wished is True)


def test_f36_urls_begin_with_v2(project: Project, imagga: Imagga) -> None:
    """A URL of api.imagga.com without /v2/ gives a warning; one with it does not."""
    warned = {
        "https://api.imagga.com/tags?image_url={record.url}": True,
        "https://api.imagga.com/v1/tagging": True,
        "https://api.imagga.com/v2": True,
        "https://api.imagga.com/v2/tags?image_url={record.url}": False,
    }
    for url, expected in warned.items():
        warnings = haulier.check(imagga.by_hand("GET", url), credential=imagga.credential).warnings
        assert any("does not begin with /v2/" in warning for warning in warnings) == expected, (url, warnings)


# -- headers, credential, attributes ---------------------------------------------------------------------------------


def test_f37_request_headers(project: Project, server: RecordingServer) -> None:
    """`h1:v1,h2:v2` is read with colons and commas inside values, and sent on every call."""
    written = (
        "X-One: 1,X-Link:https://example.com:8443/a?b=c,X-When: 12:30:00, X-List: a, b,X-Sku:{record.sku}"
    )
    assert haulier.send(to(server, headers=written), PRODUCTS).ok
    assert len(server.seen) == 3
    for seen in server.seen:
        assert {name: seen.header(name) for name in ("X-One", "X-Link", "X-When", "X-List", "X-Sku")} == {
            "X-One": "1",
            "X-Link": "https://example.com:8443/a?b=c",
            "X-When": "12:30:00",
            "X-List": "a, b",
            "X-Sku": seen.json["sku"],
        }


def test_f38_authorization_from_the_credential(
    project: Project, imagga: Imagga, server: RecordingServer
) -> None:
    """The Basic header follows from key and secret; a written one is refused, or stands alone on request."""
    expected = "Basic " + base64.b64encode(f"{DEMO_KEY}:{DEMO_SECRET}".encode()).decode()
    tag = imagga.to("tag-image", params={"image_url": "{record.url}"})
    assert haulier.send(tag, URLS[:1], credential=imagga.credential).ok
    assert (imagga.only.header("authorization"), imagga.only.user, imagga.only.status) == (
        expected,
        DEMO_KEY,
        200,
    )
    values = {"type": "basic", "username": "me", "password": "pass:word", "origins": [server.url]}
    assert haulier.send(to(server), PRODUCTS[:1], credential=values).ok
    assert server.only.every("Authorization") == ["Basic " + base64.b64encode(b"me:pass:word").decode()]
    server.clear()
    with pytest.raises(haulier.ConfigurationError, match=r"override_authorization"):
        haulier.send(to(server, headers="Authorization: Custom mine"), PRODUCTS, credential=values)
    assert server.seen == []


def test_f38_written_authorization_on_request(project: Project, server: RecordingServer) -> None:
    """With `override_authorization: true` the written header goes out, and the credential's does not."""
    values = {"type": "basic", "username": "me", "password": "pass:word", "origins": [server.url]}
    written = to(server, headers="Authorization: Custom mine", override_authorization=True)
    assert haulier.send(written, PRODUCTS[:1], credential=values).ok
    assert server.only.every("Authorization") == ["Custom mine"]


def test_f39_exclude_attributes(project: Project, server: RecordingServer) -> None:
    """Excluded attributes are absent from body and query, but can still stand in the URL."""
    exclude = ["price", "stock", "sku"]
    assert haulier.send(to(server, path="/items/{record.sku}", exclude=exclude), PRODUCTS[:1]).ok
    assert (server.only.target, server.only.json) == ("/items/HL-0001", {"title": "Café crème"})
    server.clear()
    assert haulier.send(to(server, "GET", "/items/{record.sku}", exclude=exclude), PRODUCTS[:1]).ok
    assert server.only.target == "/items/HL-0001?title=Caf%C3%A9%20cr%C3%A8me"
    server.clear()
    batched = to(server, exclude=exclude, batching={"size": 10})
    assert haulier.send(batched, PRODUCTS).ok
    assert server.only.json == [{"title": product["title"]} for product in PRODUCTS]


def test_f39_nested_ones_and_what_else_becomes_of_attributes(
    project: Project, server: RecordingServer
) -> None:
    """Paths lead into nested attributes; others are renamed, typed and added, and the URL still reads them all."""
    project.write("in.csv", 'sku,price,region,meta\nA-1,12.50,eu,"{""a"": 1, ""b"": 2}"\nA-2,dear,eu,{}\n')
    settings = {
        "types": {"price": "number", "meta": "json"},
        "exclude": ["region", "meta.a"],
        "rename": {"sku": "id"},
        "add": {"source": "catalog"},
    }
    report = haulier.send(to(server, path="/{record.region}/{record.sku}", **settings), "in.csv")
    assert (report.delivered, report.rejected) == (1, 1)
    assert server.only.target == "/eu/A-1"
    assert server.only.body == b'{"id":"A-1","price":12.50,"meta":{"b":2},"source":"catalog"}'


def test_f40_unexclude_an_attribute(project: Project, server: RecordingServer) -> None:
    """Taken off the list, an attribute is sent again, at its old place."""
    project.destination("items", to(server, exclude=["title", "price"]))
    assert haulier.send("items", PRODUCTS[:1]).ok
    project.destination("items", to(server, exclude=["price"]))
    assert haulier.send("items", PRODUCTS[:1]).ok
    assert [list(seen.json) for seen in server.seen] == [["sku", "stock"], ["sku", "title", "stock"]]


# -- batching --------------------------------------------------------------------------------------------------------


def test_f41_batching_switch(project: Project, server: RecordingServer) -> None:
    """Off by default, a call a record; on, records are gathered."""
    assert haulier.send(to(server), PRODUCTS).ok
    assert in_order([seen.json for seen in server.seen], "sku") == PRODUCTS
    server.clear()
    assert haulier.send(to(server, batching=False), PRODUCTS).ok
    assert len(server.seen) == 3
    server.clear()
    assert haulier.send(to(server, batching=True), PRODUCTS).ok
    assert server.only.json == PRODUCTS


def test_f42_batch_size(project: Project, server: RecordingServer) -> None:
    """N records make ceil(N / size) calls, the last one short; 100 is the default; below 1 is refused."""
    cases = [
        ({}, 250, [50, 100, 100]),
        ({"size": 4}, 10, [2, 4, 4]),
        ({"size": 1}, 3, [1, 1, 1]),
        ({"size": 5}, 5, [5]),
    ]
    for batching, count, sizes in cases:
        server.clear()
        destination = to(server, batching=batching or True)
        assert haulier.send(destination, [{"id": n} for n in range(count)]).ok
        bodies = sorted((seen.json for seen in server.seen), key=lambda body: body[0]["id"])
        assert [record["id"] for body in bodies for record in body] == list(range(count))
        assert sorted(len(body) for body in bodies) == sizes
        assert len(bodies[-1]) == sizes[0], "the short one is the last"
    server.clear()
    for size in (0, -1):
        with pytest.raises(haulier.ConfigurationError, match=r"batching.*size"):
            haulier.send(to(server, batching={"size": size}), PRODUCTS)
    assert server.seen == []


def test_f43_grouping_algorithm_choice(project: Project, server: RecordingServer) -> None:
    """The algorithms are listed; whichever is chosen, the preview shows the request it makes, and that is sent."""
    code = "def build(records, context):\n    return {'n': len(records), 'items': records}\n"
    filled = '{"skus": [{% for one in records %}{{ one.sku }}{% if not loop.last %},{% endif %}{% endfor %}]}'
    shapes = {
        "array": ("array", PRODUCTS),
        "property": ({"name": "property", "property_name": "items"}, {"items": PRODUCTS}),
        "code": ({"name": "code", "code": code}, {"n": 3, "items": PRODUCTS}),
        "template": (
            {"name": "template", "template": filled},
            {"skus": [product["sku"] for product in PRODUCTS]},
        ),
    }
    listed = {one["name"] for one in project.haulier("groupings", "--json").json["groupings"]}
    assert listed >= {*shapes, "lines"}
    (sample,) = haulier.preview(to(server, batching={"grouping": "lines"}), PRODUCTS).samples
    assert [json.loads(line) for line in bytes(sample.body).splitlines()] == PRODUCTS
    for grouping, expected in shapes.values():
        server.clear()
        destination = to(server, batching={"grouping": grouping})
        (sample,) = haulier.preview(destination, PRODUCTS).samples
        assert server.seen == []
        assert isinstance(sample.body, bytes)
        assert json.loads(sample.body) == expected
        assert haulier.send(destination, PRODUCTS).ok
        assert server.only.body == sample.body


def test_f44_property_inside_json_object(project: Project, server: RecordingServer) -> None:
    """The body is `{name: [records]}`, for every batch."""
    grouping = {"name": "property", "property_name": "récords"}
    assert haulier.send(to(server, batching={"size": 2, "grouping": grouping}), PRODUCTS).ok
    bodies = sorted((seen.json for seen in server.seen), key=lambda body: body["récords"][0]["sku"])
    assert bodies == [{"récords": PRODUCTS[:2]}, {"récords": PRODUCTS[2:]}]


def test_f45_other_props(project: Project, server: RecordingServer) -> None:
    """Other properties stand in every body, from a mapping or JSON text; invalid JSON and a clash are refused."""

    def batched(other: Any) -> dict[str, Any]:
        grouping = {"name": "property", "property_name": "records", "other_props": other}
        return to(server, batching={"size": 2, "grouping": grouping})

    other = {"source": "catalog", "options": {"dry": False, "tags": [1, None]}}
    for written in (other, json.dumps(other)):
        server.clear()
        assert haulier.send(batched(written), PRODUCTS).ok
        bodies = sorted((seen.json for seen in server.seen), key=lambda body: body["records"][0]["sku"])
        assert bodies == [{**other, "records": PRODUCTS[:2]}, {**other, "records": PRODUCTS[2:]}]
    server.clear()
    refused = {
        '{"source": }': r"other_props is no JSON: .* line 1, column 12",
        '["a"]': r"other_props is a JSON array, not an object",
        '{"records": 1}': r"other_props has 'records', too",
    }
    for written, reason in refused.items():
        with pytest.raises(haulier.ConfigurationError, match=reason):
            haulier.send(batched(written), PRODUCTS)
    assert server.seen == []


def test_f46_code(project: Project, server: RecordingServer) -> None:
    """Code in the destination file gets the records and returns the body. A batch that it cannot make is reported with
    line, source and records; the others go on."""
    code = """
def build(records, context):
    return {"total": sum(record["price"] for record in records), "skus": [record["sku"] for record in records]}
"""
    settings = {"size": 2, "grouping": {"name": "code", "code": code}}
    project.destination("items", to(server, batching=settings))
    project.records([*PRODUCTS, {"sku": "HL-0004"}, *PRODUCTS[:1]])
    project.haulier("destination", "check", "items")
    project.haulier("activate", "items")
    ended = project.haulier("run", "items", "--records", "records.jsonl", "--json", code=4)
    assert (ended.json["delivered"], ended.json["rejected"]) == (3, 2)
    bodies = sorted((seen.json for seen in server.seen), key=lambda body: body["skus"])
    assert bodies == [
        {"total": 12.5, "skus": ["HL-0001"]},
        {"total": 15.5, "skus": ["HL-0001", "HL-0002"]},
    ]
    told = project.haulier("dead-letters", "list", "items").said
    assert "code:3:" in told
    assert "KeyError: 'price'" in told or "KeyError: price" in told
    assert "(lines 3 to 4)" in told


def test_f46_code_beside_the_file_and_trusted_code(project: Project, server: RecordingServer) -> None:
    """It may stand in a file of the project. It leaves its sandbox only where the file and the command line say so."""
    project.write(
        "build.py", "import os\ndef build(records, context):\n    return [os.getpid() > 0, len(records)]\n"
    )
    project.destination("items", to(server, batching={"grouping": {"name": "code", "file": "build.py"}}))
    project.records(PRODUCTS)
    project.haulier("activate", "items")
    project.haulier("run", "items", "--records", "records.jsonl", code=4)
    assert server.seen == []
    trusted = {"name": "code", "file": "build.py", "runner": "trusted"}
    project.destination("items", to(server, batching={"grouping": trusted}))
    refused = project.haulier("run", "items", "--records", "records.jsonl", code=2)
    assert "--trust-code" in refused.err
    assert server.seen == []
    project.haulier("run", "items", "--records", "records.jsonl", "--trust-code")
    assert server.only.json == [True, 3]


# -- samples ---------------------------------------------------------------------------------------------------------


def test_f19_test_a_template(project: Project, imagga: Imagga) -> None:
    """One sample is sent; status, headers of interest and body are printed, and what a run would make of it."""
    credential = project.add_credential(imagga.url)
    params = {"image_url": "{record.url}", "limit": 2}
    project.destination("tag", imagga.to("tag-image", credential=credential, params=params))
    project.records(URLS)
    said = project.haulier("test", "tag", "--records", "records.jsonl", "--sample", 1).said
    assert "pictures%2F1.jpg" in imagga.only.target
    for word in (
        "200",
        "content-type: application/json",
        "monthly-limit-remaining:",
        '"confidence"',
        "delivered",
    ):
        assert word in said
    imagga.emulator.log.clear()
    told = project.haulier("test", "tag", "--records", "records.jsonl", "--json").json
    assert (told["status"], told["verdict"], len(json.loads(told["body"])["result"]["tags"])) == (
        200,
        "delivered",
        2,
    )
    imagga.emulator.faults.add(Fault.refused(400))
    ended = project.haulier("test", "tag", "--records", "records.jsonl", code=4)
    assert "400" in ended.said
    assert "rejected" in ended.said


def test_f20_adjust_and_test_again(project: Project, imagga: Imagga) -> None:
    """Settings change by option for one test, the test is repeated, and the file stays as it was."""
    credential = project.add_credential(imagga.url)
    params = {"image_url": "{record.url}"}
    path = project.destination("tag", imagga.to("tag-image", credential=credential, params=params))
    project.records(URLS)
    before = path.read_bytes()
    test = ("test", "tag", "--records", "records.jsonl", "--set")
    project.together(
        *((*test, change) for change in ("params.limit=1", "params.limit=4", 'params.language="no"'))
    )
    ended = project.haulier(*test, "params.limit=-2", code=2)
    assert "-2" in ended.said
    queries = sorted(one.target.partition("big")[2] for one in imagga.requests)
    assert queries == ["&language=no", "&limit=1", "&limit=4"]
    assert path.read_bytes() == before


# -- samples of a destination made by hand ---------------------------------------------------------------------------

NO_SOCKETS = """
import os, sys

def refuse(event, about):
    # A loop whose sockets are not Python's is as bad as a socket.
    if event.startswith("socket.") or (event == "import" and about[0] in ("httpx", "uvloop")):
        os._exit(99)

sys.addaudithook(refuse)
"""


def by_hand_file(project: Project, server: RecordingServer, **settings: Any) -> Path:
    """A destination file `items` with a stored credential, and three records."""
    project.store("bearer", {"token": "t0p-s3cret-token"}, server.url, name="token")
    project.records(PRODUCTS)
    return project.destination(
        "items", to(server, path="/items/{record.sku}", credential="token", **settings)
    )


def test_f49_preview_without_network(project: Project, server: RecordingServer) -> None:
    """The first requests are printed as they will go out, the credential redacted; no socket is opened."""
    by_hand_file(project, server, headers="X-One:1")
    project.write("hook/sitecustomize.py", NO_SOCKETS)
    preview = ("preview", "items", "--records", "records.jsonl", "-n", 2)
    alone = {"PYTHONPATH": str(project.root / "hook")}
    project.environment |= alone
    full, values = project.together((*preview, "--full"), (*preview, "--json"))
    shown, told = full.out, values.json
    assert server.connections == 0
    project.haulier("test", "items", "--records", "records.jsonl", code=99)  # the hook does bite
    del project.environment["PYTHONPATH"]
    project.haulier("run", "items", "--records", "records.jsonl", "--activate", "--limit", 2)
    assert "t0p-s3cret-token" not in shown + json.dumps(told)
    assert (len(server.seen), len(told["samples"])) == (2, 2)
    for seen, sample in zip(sorted(server.seen, key=lambda seen: seen.target), told["samples"], strict=True):
        assert (sample["method"], sample["target"], sample["body"]) == (
            seen.method,
            seen.target,
            seen.body.decode(),
        )
        redacted = [
            list(pair) for pair in seen.headers if pair[0] not in ("Authorization", "Idempotency-Key")
        ]
        assert [pair for pair in sample["headers"] if pair[0] != "Idempotency-Key"] == redacted
        assert seen.header("Authorization") == "Bearer t0p-s3cret-token"
        for text in (f"POST {server.url}{seen.target}", "X-One: 1", "Authorization: [from credential token]"):
            assert text in shown
        assert seen.body.decode() in shown


def test_f50_expand_one_sample(project: Project, server: RecordingServer) -> None:
    """Any one sample can be shown in full, however long it is; a number too high is refused."""
    by_hand_file(project, server)
    long = [{"sku": f"S{n}", "text": f"{n}" * 5000, "list": list(range(50))} for n in range(5)]
    project.records(long)
    preview = ("preview", "items", "--records", "records.jsonl")
    laid_out, exact = project.together((*preview, "--sample", 3), (*preview, "--sample", 3, "--full"))
    short, full = laid_out.out, exact.out
    body = json.loads(next(line for line in full.splitlines() if line.startswith('{"sku"')))
    assert body == long[3]
    assert "--full" in short
    assert len(short) < 3000 < len(full)
    for other in (0, 1, 2, 4):
        assert f"/items/S{other}" not in full
    assert "there is no sample 5" in project.haulier(*preview, "--sample", 5, code=2).said


def test_f50_a_sample_that_does_not_exist(project: Project, server: RecordingServer) -> None:
    """A number too high is refused with the number of requests there are, as `haulier test` does."""
    by_hand_file(project, server)
    for ended in project.together(
        *((command, "items", "--records", "records.jsonl", "--sample", 5) for command in ("test", "preview")),
        code=2,
    ):
        assert "there are no records" not in ended.said
        assert "3 requests" in ended.said


def test_f51_samples_are_always_current(project: Project, server: RecordingServer) -> None:
    """After a change of settings or records the next preview shows it: nothing is kept from the last one."""

    def body() -> Any:
        return [
            json.loads(bytes(sample.body)) for sample in haulier.preview("items", "records.jsonl").samples
        ]

    by_hand_file(project, server)
    assert body() == PRODUCTS
    by_hand_file(project, server, exclude=["price", "stock"])
    assert body() == [{"sku": one["sku"], "title": one["title"]} for one in PRODUCTS]
    project.records([{"sku": "new", "n": 1}])
    assert body() == [{"sku": "new", "n": 1}]
    project.destination("items", to(server, batching={"size": 2}))
    project.records(PRODUCTS)
    assert body() == [PRODUCTS[:2], PRODUCTS[2:]]


def test_f52_test_a_manual_destination(project: Project, server: RecordingServer) -> None:
    """The sample that was chosen is sent, and no other."""
    by_hand_file(project, server)
    server.answer = lambda _: Reply(body=b'{"stored": 17}')
    said = project.haulier("test", "items", "--records", "records.jsonl", "--sample", 2).said
    assert (server.only.target, server.only.json) == ("/items/HL-0003", PRODUCTS[2])
    assert server.only.header("Authorization") == "Bearer t0p-s3cret-token"
    assert '"stored": 17' in said
    assert "t0p-s3cret-token" not in said


def test_f53_edit_the_sample(project: Project, server: RecordingServer) -> None:
    """The payload is replaced from a file or in the editor, for this test only."""
    by_hand_file(project, server)
    test = ("test", "items", "--records", "records.jsonl")
    payload = b'{"hand": "made", "n": 12345678901234567890123}\n'
    project.write("payload.json", payload)
    project.haulier(*test, "--payload", "payload.json")
    assert (server.only.target, server.only.body) == ("/items/HL-0001", payload)
    assert server.only.header("Content-Length") == str(len(payload))
    server.clear()
    editor = project.write("editor.py", "import sys; p = sys.argv[1]; t = open(p).read(); "
                           "open(p, 'w').write(t.replace('Caf', 'Tea'))")  # fmt: skip
    project.haulier(*test, "--edit", EDITOR=f"{sys.executable} {editor}")
    assert server.only.json == PRODUCTS[0] | {"title": "Teaé crème"}
    server.clear()
    project.haulier(*test)
    assert server.only.json == PRODUCTS[0], "the change was for that test only"


def test_f54_send_test_data(project: Project, server: RecordingServer) -> None:
    """A test sends with the current settings and shows the response; nothing saved is touched, nothing counted."""
    by_hand_file(project, server, outputs=[{"to": "jsonl", "path": "out.jsonl"}])
    test = ("test", "items", "--records", "records.jsonl", "--set", "headers=X-Try:1")

    def saved() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in project.root.rglob("*") if path.is_file()}

    before = saved()
    server.answer = lambda _: Reply(422, b'{"error": "no such shelf"}')
    assert "no such shelf" in project.haulier(*test, code=4).said
    assert server.only.header("X-Try") == "1"
    assert saved() == before, "inactive as it was, no ledger, no output"
    server.clear()
    server.answer = lambda _: Reply()
    project.haulier("run", "items", "--records", "records.jsonl", "--activate")
    assert len(server.seen) == 3, "what was tested is not taken for sent"
    assert server.seen[0].every("X-Try") == []


# -- saving and switching --------------------------------------------------------------------------------------------


def test_f55_done_saves_the_destination(project: Project, server: RecordingServer) -> None:
    """`destination new` writes a file that can be read, put under version control, validated and run."""
    options = ("--url", f"{server.url}/items/{{record.sku}}", "--method", "put", "--headers", "X-One:1", "--exclude",
               "stock", "--key", "sku", "--batch-size", 2, "--grouping", "property",
               "--grouping-setting", "property_name=items", "--set", "limits.max_in_flight=2")  # fmt: skip
    dry = project.haulier("destination", "new", "shelf", *options, "--dry-run").out
    path = project.root / "destinations/shelf.yaml"
    assert not path.exists()
    project.haulier("destination", "new", "shelf", *options)
    assert path.read_text() in dry
    saved = load_destination(path)
    assert saved.request is not None
    assert (saved.name, saved.request.method, saved.exclude, saved.key) == ("shelf", "PUT", ["stock"], "sku")
    assert isinstance(saved.batching, Batching)
    assert saved.batching.size == 2
    checked, shown = project.together(("destination", "check", "shelf"), ("destination", "show", "shelf"))
    assert "shelf: ok" in checked.said
    assert f'request.url: "{server.url}/items/{{record.sku}}"' in shown.said
    project.records(PRODUCTS[:1] * 2)
    project.haulier("run", "shelf", "--records", "records.jsonl", "--activate")
    sent = {name: value for name, value in PRODUCTS[0].items() if name != "stock"}
    assert (server.only.method, server.only.target, server.only.json) == (
        "PUT",
        "/items/HL-0001",
        {"items": [sent] * 2},
    )
    ended = project.haulier("destination", "new", "shelf", *options, code=2)
    assert "shelf" in ended.said
    text = path.read_text()
    path.write_text(text.replace("exclude:", "exlude:"))
    ended = project.haulier("destination", "check", "shelf", code=2)
    line = 1 + text[: text.index("exclude:")].count("\n")
    assert f"shelf.yaml:{line}" in ended.said
    assert "exclude" in ended.said


def test_f55_show_says_the_url_as_written(project: Project, server: RecordingServer) -> None:
    """What `destination show` says it sends has the expressions as the file has them."""
    by_hand_file(project, server)
    shown = project.haulier("destination", "show", "items").said
    assert f"POST {server.url}/items/{{record.sku}}" in shown


def test_f56_activate(project: Project, server: RecordingServer) -> None:
    """An explicit step switches a destination on, shown in the list; the same run then sends."""
    by_hand_file(project, server)
    run = ("run", "items", "--records", "records.jsonl")
    (before,) = project.haulier("destination", "list", "--json").json["destinations"]
    assert "active" in project.haulier("activate", "items").said
    (after,) = project.haulier("destination", "list", "--json").json["destinations"]
    assert (before["activation"] != "active", after["activation"]) == (True, "active")
    assert server.connections == 0, "activating sends nothing"
    project.haulier(*run)
    assert in_order([seen.json for seen in server.seen], "sku") == PRODUCTS


def test_f57_nothing_is_sent_until_activated(project: Project, server: RecordingServer) -> None:
    """A run of an inactive destination opens no connection, exits with 2 and says why and what to do."""
    by_hand_file(project, server)
    ended = project.haulier("run", "items", "--records", "records.jsonl", code=2)
    assert "`items` was never activated, so nothing is sent" in ended.said
    assert "haulier activate items" in ended.said
    assert (server.connections, ended.out) == (0, "")
    assert "nothing was sent to destination `items` yet" in project.haulier("report", "items", code=2).said


def test_f58_activate_now_or_later(project: Project, server: RecordingServer) -> None:
    """The state is kept between commands; pause undoes it, also under a run, which then goes on where it was."""
    by_hand_file(project, server)
    run = ("run", "items", "--records")
    project.haulier("activate", "items")
    project.haulier("pause", "items")
    ended = project.haulier(*run, "records.jsonl", code=2)
    assert "paused" in ended.said
    assert server.connections == 0
    many = [{"sku": f"S{number}"} for number in range(60)]
    project.records(many, "many.jsonl")
    project.destination("items", to(server, limits={"requests_per_second": 10, "max_in_flight": 1}))
    project.haulier("activate", "items")
    with subprocess.Popen(
        [sys.executable, "-m", "haulier", *run, "many.jsonl", "--json"],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        wait_until(lambda: len(server.seen) >= 3)
        project.haulier("pause", "items")
        assert running.stdout is not None
        stopped = json.loads(running.stdout.read())
    assert running.returncode == 3
    assert (stopped["state"], stopped["delivered"]) == ("stopped", len(server.seen))
    assert "paused" in stopped["reason"]
    assert 3 <= stopped["delivered"] < 60
    project.haulier(*run, "many.jsonl", code=2)
    project.destination("items", to(server))
    project.haulier("activate", "items")
    project.haulier(*run, "many.jsonl", "--json")
    assert sorted(seen.json["sku"] for seen in server.seen) == sorted(record["sku"] for record in many), (
        "each once"
    )
