"""Answers as data, one test for each row of the feature table: responses posted on, failures too, joined to records."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

from tests.acceptance.support import (
    Imagga,
    Project,
    RecordingServer,
    Reply,
    Seen,
    in_order,
    wait_until,
)
from tests.acceptance.test_features import pictures, to
from tests.imagga_stages import DELETE, UPLOAD, UPLOAD_ID

import haulier

PICTURES = [{"sku": f"T-{number}", "url": f"https://example.com/{number}.jpg"} for number in range(3)]
SECRET = "shared-with-the-receiver-0123456789"


def signed(seen: Seen, secret: str) -> bool:
    """As docs/outputs.md says how a receiver checks a signature."""
    stamp, _, signature = (seen.header("Haulier-Signature") or "").partition(",v1=")
    text = stamp.removeprefix("t=").encode() + b"." + seen.body
    expected = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    fresh = abs(time.time() - int(stamp.removeprefix("t="))) < 300
    return fresh and hmac.compare_digest(expected, signature)


def test_f47_each_response_is_posted_to_a_url(project: Project, imagga: Imagga) -> None:
    """Off by default; on, each response is POSTed, signed, retried until it is taken, and never twice under two ids."""
    with RecordingServer() as hook:
        destination = imagga.to("tag-image", key="sku", params={"image_url": "{record.url}"})
        assert haulier.send(destination, PICTURES, credential=imagga.credential).ok
        assert hook.seen == []

        project.store("hmac", {"secret": SECRET}, hook.url, name="signer")
        hook.answer = lambda _: Reply(503) if len(hook.seen) < 3 else Reply(204, b"")
        webhook = {
            "to": "webhook",
            "url": hook.url + "/hook",
            "credential": "signer",
            "headers": "X-Team: data",
        }
        project.records(PICTURES)
        project.destination(
            "tag", {**destination, "credential": imagga_credential(project, imagga), "outputs": [webhook]}
        )
        ended = project.haulier("run", "tag", "--records", "records.jsonl", "--activate", "--json")
        assert (ended.json["state"], ended.json["delivered"]) == ("finished", 3)

        assert {(seen.method, seen.target, seen.header("X-Team")) for seen in hook.seen} == {
            ("POST", "/hook", "data")
        }
        assert all(signed(seen, SECRET) for seen in hook.seen)
        assert not any(signed(seen, "another-secret") for seen in hook.seen)
        assert SECRET not in repr(hook.seen)
        tries = Counter((seen.header("Idempotency-Key"), seen.body) for seen in hook.seen)
        assert sorted(tries.values()) == [1, 1, 3]
        told = in_order([json.loads(body) for _, body in tries], "key")
        assert [key for key, _ in sorted(tries)] == sorted(line["id"] for line in told)
        assert [(line["key"], line["state"], line["status"]) for line in told] == [
            (record["sku"], "delivered", 200) for record in PICTURES
        ]
        assert all(line["answer"]["body"]["result"]["tags"] for line in told)
        assert all("json" in line["answer"]["headers"]["content-type"] for line in told)


def imagga_credential(project: Project, imagga: Imagga) -> str:
    """A stored credential for the emulator."""
    return project.add_credential(imagga.url, name="imagga-hooked")


def test_f47_a_slow_or_dead_webhook_holds_no_delivery_up(project: Project, server: RecordingServer) -> None:
    """Deliveries and the file go their own pace; the run stops when patience ends, and the next hands over the rest."""
    project.records([{"id": number} for number in range(100)])
    with RecordingServer(lambda _: Reply(500)) as hook:

        def hooked(patience_s: int) -> dict[str, Any]:
            webhook = {"to": "webhook", "url": hook.url, "patience_s": patience_s}
            return to(server, key="id", outputs=[webhook, {"to": "jsonl", "path": "out/lines.jsonl"}])

        project.destination("hooked", hooked(patience_s=1))
        run = ("run", "hooked", "--records", "records.jsonl", "--activate")
        ended = project.haulier(*run, code=3)
        assert "output 1 (webhook) took nothing for 1 s" in ended.said
        assert "100 lines are kept for it" in ended.said
        assert (len(server.seen), len(project.lines("out/lines.jsonl"))) == (100, 100)
        hook.clear()
        hook.answer = lambda _: Reply(200)
        project.destination("hooked", hooked(patience_s=30))
        assert project.haulier(*run, "--json").json["state"] == "finished"
        assert sorted(seen.json["key"] for seen in hook.seen) == list(range(100))
        assert (len(server.seen), len(project.lines("out/lines.jsonl"))) == (100, 100)


def test_f48_failures_are_delivered_too_with_status_and_message(project: Project, imagga: Imagga) -> None:
    """Status, results, upload ids and errors of every record reach the webhook, also of those that were never sent."""
    records = pictures(project)
    records.insert(1, {"sku": "P-gone", "file": "gone.png"})
    project.write("pictures/broken.png", b"no picture at all")
    records.append({"sku": "P-broken", "file": "broken.png"})
    with RecordingServer() as hook:
        destination = imagga.to(
            "upload-image",
            key="sku",
            params={"image": "{record.file}"},
            files_root="pictures",
            outputs=[{"to": "webhook", "url": hook.url}],
        )
        report = haulier.send(destination, records, credential=imagga.credential)
        assert (report.state, report.read) == ("finished", 5)
        told = {line["key"]: line for line in (seen.json for seen in hook.seen)}
    assert set(told) == {"P-0", "P-1", "P-2", "P-gone", "P-broken"}
    for key in ("P-0", "P-1", "P-2"):
        line = told[key]
        assert (line["run"], line["state"], line["status"]) == (report.run_id, "delivered", 200)
        assert line["upload_id"] == line["answer"]["body"]["result"]["upload_id"]
    gone = told["P-gone"]
    assert (gone["state"], gone["status"], gone["request"], gone["positions"]) == (
        "rejected",
        None,
        None,
        [1],
    )
    assert "gone.png" in gone["reason"]
    broken = told["P-broken"]
    assert (broken["state"], broken["positions"], broken["attempts"]) == ("rejected", [4], 1)
    assert broken["status"] >= 400
    assert str(broken["status"]) in broken["reason"]
    assert broken["answer"]["body"]["status"]["type"] == "error"


def test_f48_a_malformed_line_is_told_with_its_text(project: Project, server: RecordingServer) -> None:
    """What never became a record is told by position, reason and text."""
    project.write("records.jsonl", '{"id":1}\n{"id":2\n')
    with RecordingServer() as hook:
        destination = to(server, key="id", outputs=[{"to": "webhook", "url": hook.url, "batch": 10}])
        assert haulier.send(destination, "records.jsonl").rejected == 1
        told = {line["positions"][0]: line for seen in hook.seen for line in seen.json}
    assert (told[0]["state"], told[0]["key"]) == ("delivered", 1)
    assert (told[1]["state"], told[1]["text"]) == ("rejected", '{"id":2')
    assert "line 2" in told[1]["reason"]


def test_b11_responses_are_data_joined_to_their_records(project: Project, server: RecordingServer) -> None:
    """Each response, joined to its records, to a file and to a webhook; each output carries what it asked for."""
    server.answer = lambda seen: Reply(200, json.dumps({"taken": [one["id"] for one in seen.json]}).encode())
    records = [{"id": number, "note": f"n{number}"} for number in range(5)]
    with RecordingServer() as hook:
        outputs = [
            {"to": "jsonl", "path": "out/answers.jsonl", "answer": True, "include": ["note"]},
            {"to": "webhook", "url": hook.url},
        ]
        report = haulier.send(
            to(server, key="id", exclude=["note"], batching={"size": 2}, outputs=outputs), records
        )
        assert report.ok
        posted = in_order([seen.json for seen in hook.seen], "request")
    written = in_order(project.lines("out/answers.jsonl"), "request")
    assert [line["keys"] for line in written] == [[0, 1], [2, 3], [4]]
    for line in written:
        positions = line["positions"]
        assert line["answer"]["body"] == {"taken": line["keys"]}
        assert line["records"] == [records[at] for at in positions]
        assert (line["run"], line["state"], line["status"]) == (report.run_id, "delivered", 200)
    without = [{**line, "records": [{"id": key} for key in line["keys"]]} for line in written]
    assert posted == without


def test_b11_no_response_is_lost_when_the_process_is_killed(
    project: Project, server: RecordingServer
) -> None:
    """Killed again and again, file and webhook have every record at the end, and no line is torn."""
    project.records([{"id": number} for number in range(400)])
    with RecordingServer() as hook:
        outputs = [{"to": "jsonl", "path": "out/lines.jsonl"}, {"to": "webhook", "url": hook.url, "batch": 5}]
        project.destination(
            "killed", to(server, key="id", limits={"requests_per_second": 300}, outputs=outputs)
        )
        project.haulier("activate", "killed")
        for goal in (60, 180, 300):
            _run_until(project, "killed", lambda goal=goal: len(server.seen) >= goal)
        assert (
            project.haulier("run", "killed", "--records", "records.jsonl", "--json").json["delivered"] == 400
        )
        # A kill in the middle of a post leaves one without its body.
        posted = [line for seen in hook.seen if seen.body for line in seen.json]
    for lines in (project.lines("out/lines.jsonl"), posted):
        assert {line["key"] for line in lines} == set(range(400))
        assert len({line["id"] for line in lines}) == 400


def _run_until(project: Project, name: str, holds: Any) -> None:
    """Start a run of a destination, and kill it as soon as something holds."""
    command = [sys.executable, "-m", "haulier", "run", name, "--records", "records.jsonl", "--yes"]
    process = subprocess.Popen(
        command, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(holds)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


_TAG = {"name": "tag", "endpoint": "tag-image", "params": {"image_upload_id": UPLOAD_ID}}


def test_b11_a_chain_uploads_tags_and_deletes_in_one_run(project: Project, imagga: Imagga) -> None:
    """Each response feeds the next stage; killed in the middle, no record is lost in any stage, as one report says."""
    records = [{**record, "sku": f"P-{number}"} for number, record in enumerate(pictures(project) * 8)]
    project.records(records)
    project.destination(
        "gallery",
        {
            "connector": "imagga",
            "base_url": imagga.url,
            "credential": imagga_credential(project, imagga),
            "key": "sku",
            "limits": {"requests_per_second": 60, "max_in_flight": 2},
            "stages": [UPLOAD, _TAG, DELETE],
            "outputs": [{"to": "jsonl", "path": "out/gallery.jsonl"}],
        },
    )
    project.haulier("activate", "gallery")
    _run_until(project, "gallery", lambda: _lines_so_far(project) >= 5)
    ended = project.haulier("run", "gallery", "--records", "records.jsonl", "--yes", "--json").json
    count = len(records)
    assert (ended["state"], ended["ok"], ended["read"]) == ("finished", True, 3 * count)
    assert [(one["name"], one["read"], one["delivered"]) for one in ended["stages"]] == [
        ("upload", count, count),
        ("tag", count, count),
        ("delete", count, count),
    ]
    told = {line["key"]: line for line in project.lines("out/gallery.jsonl")}
    assert set(told) == {record["sku"] for record in records}
    assert all(line["stage"] == "delete" and line["state"] == "delivered" for line in told.values())
    assert all(line["upload_id"] and line["tags"] for line in told.values())


def _lines_so_far(project: Project) -> int:
    path = project.root / "out" / "gallery.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0
