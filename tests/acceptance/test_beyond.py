"""What goes beyond the product's own features, one test for each row of the second feature table."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

from tests.acceptance.support import (
    QUICK,
    Imagga,
    OddServer,
    Project,
    RecordingServer,
    Reply,
    Seen,
    wait_until,
)

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
        settings = {"timeout_s": 1.0, "retry": {"base_s": 0.01}}
        project.records(records)
        project.destination("parked", to(server.url, unanswered="park", **settings))
        ended = project.haulier("run", "parked", "--records", "records.jsonl", "--activate", code=5)
        assert "what is in doubt may have arrived: ask the service before sending it again" in ended.said
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
