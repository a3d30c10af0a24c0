"""What goes beyond the product's own features, one test for each row of the second feature table."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from math import ceil
from typing import Any

import pytest
from tests.acceptance.support import (
    QUICK,
    Imagga,
    OddServer,
    Project,
    RecordingServer,
    Reply,
    Seen,
    png,
    wait_until,
)
from tests.imagga_stages import DELETE, UPLOAD, categorize

import haulier


def to(url: str, **settings: Any) -> dict[str, Any]:
    """A destination by hand."""
    return {
        "name": "acceptance",
        "request": {"method": "POST", "url": f"{url}/in"},
        "limits": QUICK,
        **settings,
    }


def test_b01_crash_safe_delivery_ledger(project: Project, server: RecordingServer) -> None:
    """Killed at any instant and run again: no record lost, only requests that may have been sent go out twice, each
    with the same bytes and idempotency key; a finished run repeated sends nothing."""

    def slow(_: Seen) -> Reply:
        time.sleep(0.01)
        return Reply()

    server.answer = slow
    project.records([{"id": number} for number in range(2000)])
    project.destination("acceptance", to(server.url, batching={"size": 5}))
    command = [sys.executable, "-m", "haulier", "run", "acceptance", "--records", "records.jsonl", "--json"]
    project.haulier("activate", "acceptance")
    for kill in range(3):
        seen = len(server.seen)
        with subprocess.Popen(
            command, cwd=project.root, env=project.environment, stderr=subprocess.DEVNULL
        ) as run:
            wait_until(lambda seen=seen: len(server.seen) > seen + 40)  # type: ignore[misc]
            run.send_signal(signal.SIGKILL)
        assert run.returncode == -signal.SIGKILL, f"kill {kill} came too late"
        counts = project.haulier("report", "acceptance", "--json").json
        states = ("pending", "sending", "delivered", "accepted", "rejected", "in_doubt")
        assert sum(counts[state] for state in states) == counts["read"]
    report = project.haulier(*command[3:]).json
    assert (report["state"], report["read"], report["delivered"]) == ("finished", 2000, 2000)
    bodies: dict[str, bytes] = {}
    # A kill may cut a request off: the server then has less of it than was announced, and counts no such one.
    whole = [one for one in server.seen if len(one.body) == int(one.header("Content-Length") or 0)]
    for seen_one in whole:
        key = seen_one.header("Idempotency-Key")
        assert key is not None
        assert bodies.setdefault(key, seen_one.body) == seen_one.body, "one key, two bodies"
    assert sorted(record["id"] for body in bodies.values() for record in json.loads(body)) == list(
        range(2000)
    )
    repeated = len(whole) - len(bodies)
    assert repeated <= 3 * 4 + 3 * 16, (
        "only what was on its way, or in the window that was open, may go out twice"
    )
    sent = len(server.seen)
    again = project.haulier(*command[3:]).json
    assert (again["repeated"], again["run_id"], len(server.seen)) == (True, report["run_id"], sent)


def test_b02_in_doubt_state(project: Project) -> None:
    """A time-out after sending is shown as in doubt under `park` and not sent again; under `resend` it is sent again
    with the same bytes and key."""
    arrived: list[bytes] = []

    def swallow(connection: Any) -> None:
        """Read a whole request; the second one is never answered."""
        data = b""
        while b"}" not in data:
            data += connection.recv(65536)
        arrived.append(data)
        if (
            b'"id":2}' in data.replace(b" ", b"")
            and sum(b'"id":2}' in one.replace(b" ", b"") for one in arrived) < 2
        ):
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        connection.close()

    records = [{"id": number} for number in range(1, 5)]
    with OddServer(swallow) as server:
        settings = {"timeout_s": 2.0, "retry": {"base_s": 0.01}}
        project.records(records)
        project.destination("parked", to(server.url, unanswered="park", **settings))
        ended = project.haulier("run", "parked", "--records", "records.jsonl", "--activate", code=5)
        assert "what is in doubt may have arrived: ask the service first" in ended.said
        assert len(arrived) == 4
        (letter,) = project.haulier("dead-letters", "list", "parked", "--json").json["dead_letters"]
        assert (letter["position"], letter["state"], json.loads(letter["text"])) == (1, "in_doubt", {"id": 2})
        assert "no answer" in letter["reason"]
        arrived.clear()
        report = haulier.send(to(server.url, **settings), records)
        assert (report.delivered, report.in_doubt, len(arrived)) == (4, 0, 5)
        twice = [one for one in arrived if b'"id":2}' in one.replace(b" ", b"")]
        assert len(twice) == 2
        assert twice[0] == twice[1]


def test_b10_async_jobs_followed_up(project: Project, imagga: Imagga) -> None:
    """Tickets that were left are followed later, by the command line, and their results joined to their records."""
    imagga.emulator.service.settings = replace(imagga.emulator.service.settings, any_face_id=True, polls=0)
    project.add_credential(imagga.url)
    settings = imagga.to("group-faces", key="sku", outputs=[{"to": "jsonl", "path": "out.jsonl"}])
    project.destination("faces", settings | {"credential": "imagga-test"})
    project.records({"sku": f"p{n}", "face_id": f"face-{n}"} for n in range(6))
    run = project.haulier(
        "run", "faces", "--records", "records.jsonl", "--activate", "--no-follow", "--json", code=5
    ).json
    assert (run["accepted"], run["delivered"]) == (6, 0)
    told = project.haulier("report", "faces").said
    assert f"haulier follow {run['run_id'][:12]}" in told
    followed = project.haulier("follow", run["run_id"][:12], "--json").json
    assert (followed["accepted"], followed["delivered"], followed["ok"]) == (0, 6, True)
    lines = [line for line in project.lines("out.jsonl") if line["state"] == "delivered"]
    assert [(line["key"], line["face_id"]) for line in lines] == [(f"p{n}", f"face-{n}") for n in range(6)]
    assert all("group" in line for line in lines)


def test_b10_jobs_in_a_chain(project: Project, imagga: Imagga) -> None:
    """upload -> categorize as one job -> delete, by the command line: deleted when the result is there."""
    imagga.emulator.service.settings = replace(imagga.emulator.service.settings, polls=1)
    project.add_credential(imagga.url)
    files = [f"{n}.png" for n in range(4)]
    for number, name in enumerate(files):
        project.write(f"pictures/{name}", png(30, 20, shade=number))
    stages = [UPLOAD, categorize(), DELETE]
    chain = {name: value for name, value in imagga.to("").items() if name != "endpoint"}
    outputs = [{"to": "jsonl", "path": "out.jsonl", "answer": True}]
    project.destination(
        "chain", chain | {"credential": "imagga-test", "key": "file", "stages": stages, "outputs": outputs}
    )
    project.records({"file": name} for name in files)
    words = ("run", "chain", "--records", "records.jsonl", "--activate", "--yes", "--json")
    refused = project.haulier(*words, "--no-follow", code=2)
    assert (
        "stage `categorize`: answers with a ticket, and the stages behind it wait for its result"
        in refused.said
    )
    assert imagga.requests == []
    report = project.haulier(*words).json
    assert [(one["name"], one["delivered"]) for one in report["stages"]] == [
        ("upload", 4),
        ("categorize", 4),
        ("delete", 4),
    ]
    asked = [(one.method, one.target.split("/")[2]) for one in imagga.requests]
    assert asked[-7:] == [("POST", "batches"), *[("GET", "tickets")] * 2, *[("DELETE", "uploads")] * 4]
    for line in project.lines("out.jsonl"):
        assert line["answers"]["categorize"]["result"]["is_final"] is True


def test_b05_dead_letters_and_replay(project: Project, server: RecordingServer) -> None:
    """List, show, export, mend and replay them; a replay is a run of its own that knows its parent."""

    def judge(seen: Seen) -> Reply:
        return Reply() if seen.json.get("price", 0) > 0 else Reply(422, b'{"why": "no price"}')

    server.answer = judge
    project.records([{"sku": "A", "price": 1}, {"sku": "B"}, {"sku": "C", "price": 2}, {"sku": "D"}])
    project.destination("acceptance", to(server.url, key="sku"))
    first = project.haulier(
        "run", "acceptance", "--records", "records.jsonl", "--activate", "--json", code=4
    ).json
    listed = project.haulier("dead-letters", "list", "acceptance", "--reason", "no price")
    assert "B" in listed.said
    assert "D" in listed.said
    shown = project.haulier("dead-letters", "show", first["run_id"][:10], 1)
    assert '{"sku": "B"}' in shown.said
    project.haulier("dead-letters", "export", "acceptance", "--json", "-o", "mend.jsonl")
    lines = project.lines("mend.jsonl")
    assert [(line["position"], line["record"]) for line in lines] == [(1, {"sku": "B"}), (3, {"sku": "D"})]
    lines[0]["record"]["price"] = 5
    project.records(lines[:1], "mend.jsonl")
    server.clear()
    second = project.haulier("dead-letters", "replay", "acceptance", "--records", "mend.jsonl", "--json").json
    assert [seen.json for seen in server.seen] == [{"sku": "B", "price": 5}]
    assert (second["parent"], second["delivered"], second["run_id"] != first["run_id"]) == (
        first["run_id"],
        1,
        True,
    )
    server.answer = lambda _: Reply()
    third = haulier.replay("acceptance", reason="NO PRICE")
    assert (third.parent, third.delivered) == (first["run_id"], 1)
    assert [seen.json for seen in server.seen[1:]] == [{"sku": "D"}]
    refused = project.haulier("dead-letters", "replay", "acceptance", code=2)
    assert "nothing is left to replay: 2 were replayed before" in refused.said
    runs = project.haulier("runs", "--json").json["runs"]
    assert [run["parent"] for run in runs] == [first["run_id"], first["run_id"], ""]


COUNTING = "def build(records, context):\n    return {'n': len(records), 'all': records}\n"
FILLED = "[{% for one in records %}{{ one.text }}{% if not loop.last %},{% endif %}{% endfor %}]"


def test_b08_preview_is_the_wire(project: Project, server: RecordingServer) -> None:
    """Target, the headers Haulier sets and the body that preview shows are what arrives, for every way to group and
    to write; the body's SHA-256 is the same in preview, ledger and report."""
    records = [
        {"id": number, "text": f'\u00fc \u20ac <&> "{number}", \r\n', "x": [1.10]} for number in range(5)
    ]
    project.records(records)
    grouped = {"size": 2, "grouping": {"name": "property", "property_name": "records"}}
    cases: dict[str, dict[str, Any]] = {
        "json": {},
        "json-array": {"batching": {"size": 2}},
        "json-property": {"batching": grouped, "exclude": ["x"]},
        "json-packed": {"batching": grouped, "compress": "gzip"},
        "ndjson": {"batching": {"size": 2}, "content_format": "ndjson"},
        "ndjson-lines": {"batching": {"size": 2, "grouping": "lines"}},
        "code": {"batching": {"size": 2, "grouping": {"name": "code", "code": COUNTING}}},
        "template": {"batching": {"size": 2, "grouping": {"name": "template", "template": FILLED}}},
        "csv": {"batching": {"size": 2}, "content_format": "csv", "exclude": ["x"]},
        "xml": {"batching": {"size": 2}, "content_format": "xml"},
        "text": {"content_format": "text", "format_settings": {"template": "{record.text}"}},
        "form": {"content_format": "form", "exclude": ["x"], "headers": "X-Id:{record.id}"},
        "multipart": {"content_format": "multipart", "exclude": ["x"]},
        "bytes": {"content_format": "bytes", "format_settings": {"attribute": "text"}},
    }
    for number, (name, settings) in enumerate(cases.items()):
        server.clear()
        how = {"limits": {**QUICK, "max_in_flight": 1}, "transport": ("http1", "httpx")[number % 2]}
        project.destination(name, {**to(server.url, **settings), **how, "name": name})
        shown = project.haulier("preview", name, "--records", "records.jsonl", "-n", "9", "--json").json[
            "samples"
        ]
        files = project.root / "bodies" / name
        project.haulier("preview", name, "--records", "records.jsonl", "-n", "9", "--out", files)
        report = haulier.send(name, "records.jsonl")
        assert report.ok
        assert len(server.seen) == len(shown) == (5 if "batching" not in settings else 3)
        for sample, seen in zip(shown, server.seen, strict=True):
            assert (seen.method, seen.target) == (sample["method"], sample["target"])
            varying = {words.removeprefix("header ") for words in sample["varies"]}
            assert varying <= {"Idempotency-Key"}
            for header, value in sample["headers"]:
                assert header in varying or seen.every(header) == [value]
            (file,) = files.glob(f"sample-{sample['number']}.*")
            assert file.read_bytes() == seen.body
            assert sha256(seen.body).hexdigest() == sample["sha256"]
        with closing(sqlite3.connect(project.root / ".haulier" / name / "ledger.db")) as ledger:
            stored = [row[0].hex() for row in ledger.execute("select sha256 from request order by id")]
        told = project.haulier("report", report.run_id, "--json").json["figures"]["slowest"]
        reported = [one["sha256"] for one in sorted(told, key=lambda one: int(one["number"]))]
        assert reported == stored == [sample["sha256"] for sample in shown]


def test_b09_plan_before_sending(project: Project, server: RecordingServer) -> None:
    """Requests, bytes and the time needed are known before the first call, and are what a run then takes."""
    project.records([{"id": number, "text": "x" * (number % 50)} for number in range(250)])
    project.destination(
        "acceptance",
        to(server.url, batching={"size": 100}) | {"limits": {"requests_per_second": 2, "max_in_flight": 1}},
    )
    planned = project.haulier("plan", "acceptance", "--records", "records.jsonl", "--json").json
    assert server.seen == []
    assert (planned["records"], planned["requests"], planned["rejected"]) == (250, 3, 0)
    began = time.monotonic()
    assert haulier.send("acceptance", "records.jsonl").ok
    assert (len(server.seen), sum(len(seen.body) for seen in server.seen)) == (3, planned["bytes"])
    assert max(len(seen.body) for seen in server.seen) == planned["largest_bytes"]
    assert planned["seconds"] == 1.0 <= time.monotonic() - began
    said = project.haulier("plan", "acceptance", "--records", "records.jsonl").out
    assert "requests" in said
    assert "1.0 s" in said


def test_b03_outcome_mapping(project: Project, server: RecordingServer) -> None:
    """An answer that speaks of each record settles each by itself, for 2xx, 207 and 4xx alike; missing is unknown."""
    by = {
        "index": {"by": "index", "at": "/items", "status": "/status", "reason": "/why"},
        "key": {"by": "key", "at": "/items", "key": "/sku", "status": "/status", "reason": "/why"},
        "errors": {"by": "errors", "at": "/errors", "key": "/sku", "reason": "/why"},
    }
    bad = {"sku": "B", "status": 422, "why": "no price"}
    good = [{"sku": sku, "status": 201} for sku in "ACD"]
    said = {
        "index": {"items": [good[0], bad, good[1]]},  # of the last one it says nothing
        "key": {"items": [good[1], bad, good[0]]},  # in another order, and nothing of the last one
        "errors": {"errors": [bad]},
    }
    records = [{"sku": sku} for sku in "ABCD"]
    for status in (200, 207, 400):
        for way, mapping in by.items():
            body = json.dumps(said[way]).encode()
            server.answer = lambda _, status=status, body=body: Reply(status, body)  # type: ignore[misc]
            server.clear()
            made = to(server.url, key="sku", batching={"size": 4}, outcomes=mapping)
            report = haulier.send(made, records, state=project.root / f"{status}-{way}")
            spoken_of = 3 if way == "errors" else 2
            counts = (report.delivered, report.rejected, report.in_doubt, len(server.seen))
            assert counts == (spoken_of, 1, 3 - spoken_of, 1), (status, way)
    project.destination("acceptance", to(server.url, key="sku", batching={"size": 4}, outcomes=by["key"]))
    server.answer = lambda _: Reply(207, json.dumps(said["key"]).encode())
    project.records(records)
    project.haulier("run", "acceptance", "--records", "records.jsonl", "--activate", code=4)
    letters = project.haulier("dead-letters", "list", "acceptance", "--json").json["dead_letters"]
    told = [(letter["position"], letter["state"], letter["reason"]) for letter in letters]
    assert told == [
        (1, "rejected", "the service says 422: no price"),
        (3, "in_doubt", "the answer does not speak of this record"),
    ]


def test_b04_bisection(project: Project, server: RecordingServer) -> None:
    """One bad record in a batch of 100: the other 99 are delivered, one dead letter."""

    def judge(seen: Seen) -> Reply:
        return Reply(400, b"record 61 is bad") if {"id": 61} in seen.json else Reply()

    server.answer = judge
    project.records([{"id": number} for number in range(100)])
    project.destination("acceptance", to(server.url, batching={"size": 100}, all_or_nothing=True))
    run = ("run", "acceptance", "--records", "records.jsonl", "--activate", "--json")
    report = project.haulier(*run, code=4).json
    assert (report["delivered"], report["rejected"]) == (99, 1)
    (letter,) = project.haulier("dead-letters", "list", "acceptance", "--json").json["dead_letters"]
    assert (letter["position"], json.loads(letter["text"])) == (61, {"id": 61})
    assert len(server.seen) <= 1 + 2 * 7
    taken = [one["id"] for seen in server.seen if {"id": 61} not in seen.json for one in seen.json]
    assert sorted(taken) == [number for number in range(100) if number != 61]


def test_b06_retry_after_and_remaining_quota_headers(server: RecordingServer) -> None:
    """Slows down before the first 429; waits exactly as told after one."""
    arrived: list[float] = []
    began = time.monotonic()

    def quota(_: Seen) -> Reply:
        """Ten in four seconds; what is left of them is told in whole ones, rounded up, as services do."""
        now = time.monotonic()
        arrived.append(now)
        window = [at for at in arrived if (at - began) // 4 == (now - began) // 4]
        left = 10 - len(window)
        reset_s = 4 - (now - began) % 4
        told = {
            "RateLimit-Limit": "10",
            "RateLimit-Remaining": str(max(left, 0)),
            "RateLimit-Reset": str(ceil(reset_s)),
        }
        return Reply(200 if left >= 0 else 429, headers=told)

    server.answer = quota
    made = {**to(server.url), "limits": {}}
    report = haulier.send(made, [{"id": number} for number in range(18)])
    assert (report.delivered, report.attempts) == (18, 18), "one was refused"

    refused: list[float] = []

    def later(seen: Seen) -> Reply:
        arrived.append(time.monotonic())
        if len(arrived) == 3:
            refused.append(arrived[-1])
            return Reply(429, headers={"Retry-After": "2"})
        return Reply()

    arrived.clear()
    server.answer = later
    # One at a time: with others under way nobody knows which of them left before the wait and came late.
    one_by_one = {**made, "name": "other", "limits": {"max_in_flight": 1}}
    report = haulier.send(one_by_one, [{"id": number} for number in range(8)])
    assert (report.delivered, report.attempts) == (8, 9)
    assert refused == [arrived[2]]
    assert 1.99 <= arrived[3] - arrived[2] <= 4


@pytest.mark.alone
def test_b07_adaptive_concurrency(server: RecordingServer) -> None:
    """Finds the number of requests in flight that the server bears, without being told."""
    bears, now, most, refused, lock = 12, 0, 0, 0, threading.Lock()

    def busy(_: Seen) -> Reply:
        nonlocal now, most, refused
        with lock:
            now += 1
            too_many = now > bears
            most = max(most, min(now, bears + 1))
            refused += too_many
        time.sleep(0.02)
        with lock:
            now -= 1
        return Reply(503) if too_many else Reply()

    server.answer = busy
    made = {**to(server.url), "limits": {}, "retry": {"base_s": 0.05, "cap_s": 1}}
    began = time.monotonic()
    report = haulier.send(made, [{"id": number} for number in range(1200)])
    took = time.monotonic() - began
    assert (report.delivered, report.rejected) == (1200, 0)
    assert most >= bears / 2, "it never tried as many as the server bears"
    assert refused <= 1200 / 10
    assert took <= 1200 * 0.02 / 2, "one after the other would have taken twice as long"


REACHING = """
def build(records, context):
    what = records[0]["what"]
    if what == "a file":
        return open("haulier.yaml").read()
    if what == "the network":
        import socket
        return socket.gethostname()
    if what == "the environment":
        import os
        return os.environ["SECRET_OF_THE_HOUSE"]
    if what == "all the time":
        while True:
            pass
    if what == "all the memory":
        return "a" * 10 ** 10
    return {"made": what}
"""


def test_b12_sandboxed_custom_code(project: Project, server: RecordingServer) -> None:
    """Code in a destination file reaches no file, network or environment, and is held to limits of time and memory.
    Each attempt costs its batch alone."""
    reached = ["a file", "the network", "the environment", "all the time", "all the memory"]
    grouping = {"name": "code", "code": REACHING, "seconds": 0.5, "memory_mb": 32}
    project.destination("acceptance", to(server.url, batching={"size": 1, "grouping": grouping}))
    project.records([{"what": what} for what in ["one", *reached, "two"]])
    project.haulier("activate", "acceptance")
    ended = project.haulier(
        "run", "acceptance", "--records", "records.jsonl", "--json", SECRET_OF_THE_HOUSE="told", code=4
    )
    assert (ended.json["delivered"], ended.json["rejected"]) == (2, 5)
    assert sorted(seen.json["made"] for seen in server.seen) == ["one", "two"]
    letters = project.haulier("dead-letters", "list", "acceptance").said
    whys = ["Permission denied", "No module named 'socket'", "os.environ", "time limit", "memory limit"]
    assert [why for why in whys if why not in letters] == []
    assert "told" not in letters
